import { hostname } from 'node:os';
import type { HolderRow } from './lock-table';

/** Who holds a lock, as anybody sees it. */
export interface LockHolder {
  readonly name: string;
  readonly token: bigint;
  /** In ms, by the server's clock. */
  readonly heldFor: number;
  /** In ms, by the server's clock. */
  readonly expiresIn: number;
  readonly host: string | undefined;
  readonly pid: number | undefined;
  /** What the holder gave as `meta`. */
  readonly meta: unknown;
}

const HOST = hostname().slice(0, 64);

const PLAIN = Buffer.from(JSON.stringify({ host: HOST, pid: process.pid }));

/** What the table keeps of a holder, as JSON. */
export function holderNote(meta: unknown): Buffer {
  if (meta === undefined) return PLAIN;
  return Buffer.from(JSON.stringify({ host: HOST, pid: process.pid, meta }));
}

export function holderOf({ name, token, heldFor, expiresIn, meta: note }: HolderRow): LockHolder {
  const { host, pid, meta } = read(note);
  return Object.freeze({
    name: name.toString(),
    token: BigInt(token),
    heldFor,
    expiresIn,
    host,
    pid,
    meta,
  });
}

/** A note that another version wrote, or nobody, tells nothing. */
function read(note: Buffer | null): { host?: string; pid?: number; meta?: unknown } {
  try {
    const found: unknown = note === null ? {} : JSON.parse(note.toString());
    return typeof found === 'object' && found !== null ? found : {};
  } catch {
    return {};
  }
}
