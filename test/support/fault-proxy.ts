import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { deferred } from './deferred';
import type { Command } from './mysql-wire';
import { ProxiedPair, type Traffic } from './proxied-pair';

/** Which command: by its text, by its kind (`execute` names no text), or simply the next one. */
export type CommandMatch = RegExp | Command['kind'] | 'next';

/** What follows once the answer is swallowed or the command is lost. */
export type Aftermath = 'silence' | 'cut' | 'reset';

/** A fault that waits for one command, and then is spent. */
export interface Trap {
  /** The command came by. */
  readonly seen: Promise<void>;
  /** `swallow`: the server has answered, so the command has been run. `lose`: as `seen`. */
  readonly sprung: Promise<void>;
  /** Takes the trap away, if it has not caught anything yet. */
  remove(): void;
}

interface SetTrap extends Trap {
  readonly match: CommandMatch;
  readonly catches: 'command' | 'answer';
  readonly then: Aftermath;
  readonly markSeen: () => void;
  readonly markSprung: () => void;
}

function fits(match: CommandMatch, { kind, text }: Command): boolean {
  if (match === 'next') return true;
  return typeof match === 'string' ? match === kind : text !== '' && match.test(text);
}

function apply(aftermath: Aftermath, pair: ProxiedPair): void {
  if (aftermath === 'cut') pair.cut();
  if (aftermath === 'reset') pair.reset();
}

/** @internal Use {@link startProxy}. */
export class FaultProxy implements Traffic {
  readonly host = '127.0.0.1';
  /** The texts of the statements that came by, prepared ones at their preparation. */
  readonly statements: string[] = [];
  readonly #target: { readonly host: string; readonly port: number };
  readonly #pairs = new Set<ProxiedPair>();
  readonly #traps = new Set<SetTrap>();
  readonly #watchers = new Set<{ readonly match: CommandMatch; readonly tell: () => void }>();
  #server: Server | undefined;
  #port = 0;
  #accepted = 0;
  #held = false;
  #delay = 0;
  #connectDelay = 0;

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  /** The same also after {@link refuse} and {@link heal}. */
  get port(): number {
    return this.#port;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Connections accepted so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Ends every connection in an orderly way (FIN to both sides). New ones are let through. */
  cut(): void {
    for (const pair of this.#pairs) pair.cut();
  }

  /** Breaks every connection (RST to both sides). New ones are let through. */
  reset(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  /** Lets nothing through in either direction, on old and new connections, and closes none. */
  blackHole(): void {
    this.#held = true;
    for (const pair of this.#pairs) pair.hold();
  }

  /** Every byte arrives `ms` later, in both directions. */
  delay(ms: number): void {
    this.#delay = ms;
  }

  /** Connections made from now on are silent for `ms` at first, as over a long way. */
  delayNewConnections(ms: number): void {
    this.#connectDelay = ms;
  }

  /** New connections meet ECONNREFUSED; those that are open stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Ends black hole, delay and refusal; what was held back arrives now. Traps stay. */
  async heal(): Promise<void> {
    this.#delay = 0;
    this.#held = false;
    for (const pair of this.#pairs) pair.goOn();
    if (this.#server === undefined) await this.listen();
  }

  /**
   * Lets the next matching command through and keeps the server's answer to it, and all that the
   * server says after that on this connection. `then` follows once the server has answered.
   */
  swallow(match: CommandMatch, then: Aftermath = 'silence'): Trap {
    return this.#set(match, 'answer', then);
  }

  /** Keeps the next matching command from the server: the client has sent it, nothing is run. */
  lose(match: CommandMatch, then: Aftermath = 'silence'): Trap {
    return this.#set(match, 'command', then);
  }

  /** Resolves when a matching command comes by, which goes through. */
  saw(match: CommandMatch): Promise<void> {
    return new Promise((resolve) => this.#watchers.add({ match, tell: resolve }));
  }

  /** Stops listening and breaks what is open. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = server?.listening === true ? once(server, 'close') : undefined;
    server?.close();
    this.reset();
    await closed;
  }

  async listen(): Promise<void> {
    const server = createServer((client) => {
      this.#accepted++;
      const pair = new ProxiedPair(client, this.#target, this, () => this.#pairs.delete(pair));
      this.#pairs.add(pair);
      if (this.#held) pair.hold();
      if (this.#connectDelay > 0) {
        pair.hold();
        setTimeout(() => pair.goOn(), this.#connectDelay).unref();
      }
    });
    this.#server = server;
    server.listen(this.#port, this.host);
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  latency(): number {
    return this.#delay;
  }

  /** Decides on a command before its last byte goes on. */
  passes(command: Command, pair: ProxiedPair): boolean {
    if (command.text !== '') this.statements.push(command.text);
    for (const watcher of this.#watchers) {
      if (!fits(watcher.match, command)) continue;
      this.#watchers.delete(watcher);
      watcher.tell();
    }
    const trap = [...this.#traps].find(({ match }) => fits(match, command));
    if (trap === undefined) return true;
    this.#traps.delete(trap);
    trap.markSeen();
    const spring = (): void => {
      trap.markSprung();
      apply(trap.then, pair);
    };
    if (trap.catches === 'answer') {
      pair.swallowAnswers(spring);
      return true;
    }
    spring();
    return false;
  }

  #set(match: CommandMatch, catches: SetTrap['catches'], then: Aftermath): Trap {
    const seen = deferred();
    const sprung = deferred();
    const trap: SetTrap = {
      match,
      catches,
      then,
      seen: seen.promise,
      sprung: sprung.promise,
      markSeen: seen.resolve,
      markSprung: sprung.resolve,
      remove: () => this.#traps.delete(trap),
    };
    this.#traps.add(trap);
    return trap;
  }
}

/**
 * A TCP proxy in front of a real server that does on request what networks do by chance. Speaks
 * enough of the protocol to find a statement by its text.
 *
 * @example
 * const proxy = await startProxy({ host: '127.0.0.1', port: 3306 });
 * const trap = proxy.swallow(/^COMMIT/, 'cut');
 * await trap.sprung; // committed, and the client will never know
 * await proxy.close();
 */
export async function startProxy(target: {
  readonly host: string;
  readonly port: number;
}): Promise<FaultProxy> {
  const proxy = new FaultProxy(target);
  await proxy.listen();
  return proxy;
}
