/** A command of the MySQL protocol, as far as a proxy can read it. */
export interface Command {
  readonly kind: 'query' | 'prepare' | 'execute' | 'ping' | 'reset' | 'quit' | 'other';
  /** The statement's text, of `query` and `prepare` only: an `execute` names a handle. */
  readonly text: string;
}

const KINDS: Readonly<Record<number, Command['kind']>> = {
  0x01: 'quit',
  0x03: 'query',
  0x0e: 'ping',
  0x16: 'prepare',
  0x17: 'execute',
  0x1f: 'reset',
};

const HEADER = 4;
/** So much of a packet is kept for its text. */
const KEPT = 64 * 1024;

function commandOf(payload: Buffer): Command {
  const kind = KINDS[payload[0] ?? -1] ?? 'other';
  if (kind !== 'query' && kind !== 'prepare') return { kind, text: '' };
  // With CLIENT_QUERY_ATTRIBUTES two counters stand before the text of a COM_QUERY: 0 and 1.
  const attributes = kind === 'query' && payload[1] === 0 && payload[2] === 1;
  return { kind, text: payload.toString('utf8', attributes ? 3 : 1) };
}

/**
 * Reads commands out of what a client sends, however it is cut into chunks. Packets of the
 * handshake are passed over: a command is what has sequence number 0. Neither TLS nor compression.
 */
export class CommandReader {
  #head = Buffer.alloc(0);
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #left = 0;
  #isCommand = false;

  /** The commands whose last byte is in this chunk. */
  read(chunk: Buffer): Command[] {
    const commands: Command[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left === 0) {
        const missing = HEADER - this.#head.length;
        this.#head = Buffer.concat([this.#head, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.#head.length < HEADER) break;
        this.#left = this.#head.readUIntLE(0, 3);
        this.#isCommand = this.#head[3] === 0;
        this.#head = Buffer.alloc(0);
        continue;
      }
      const part = rest.subarray(0, this.#left);
      rest = rest.subarray(part.length);
      this.#left -= part.length;
      this.#keep(part);
      if (this.#left === 0) {
        if (this.#isCommand) commands.push(commandOf(Buffer.concat(this.#kept)));
        this.#kept = [];
        this.#keptBytes = 0;
      }
    }
    return commands;
  }

  #keep(part: Buffer): void {
    if (!this.#isCommand || this.#keptBytes >= KEPT) return;
    const kept = part.subarray(0, KEPT - this.#keptBytes);
    this.#kept.push(kept);
    this.#keptBytes += kept.length;
  }
}
