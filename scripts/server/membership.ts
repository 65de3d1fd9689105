import type { Account } from './account';

/** What one start of a daemon has beside everything else. */
export interface StartExtras {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What a private server does otherwise when it is one of a cluster. */
export interface Membership {
  /** The account of the whole cluster. */
  readonly account: Account;
  /** Data and account come from the members that run already: nothing is made for it. */
  readonly joins: boolean;
  /** Ports that other members mean to listen on now and then. */
  readonly portsOfOthers: ReadonlySet<number>;
  /** Asked before each attempt to start; the folder is the server's own, the port the one for SQL. */
  startExtras(folder: string, port: number): Promise<StartExtras>;
  /** Called when the server greets at `url`; resolves when it may be used, rejects when it has ended or is late. */
  awaitReady(url: string, limitMs: number, isAlive: () => boolean): Promise<void>;
}
