import type { RetryingPooledDatabase } from '../database';
import type { ResolvedOptions } from '../options';
import type { Exit } from './exit';
import type { Given } from './given';
import type { Terminal } from './terminal';

export interface CommandOption {
  /** What stands for its value in the help; a switch has none. */
  readonly value?: string;
  readonly about: string;
  /** As the help shows it. */
  readonly default?: string;
  readonly short?: string;
  /** May be given more than once. */
  readonly multiple?: boolean;
}

export type CommandOptions = Readonly<Record<string, CommandOption>>;

/** What a command has to say: data for programs, and the same as a text for people. */
export interface Report {
  readonly data: unknown;
  readonly text: (terminal: Terminal) => string;
}

/** What a command works with. */
export interface Job {
  readonly given: Given;
  /** Of the library's tables. */
  readonly prefix: string;
  /** Aborted when a command that goes on and on is to end. From the first call on Ctrl-C does no more than that. */
  readonly interruption: () => AbortSignal;
  /** The options of the database that was named. */
  readonly options: ResolvedOptions;
  /** Who and where, without a password. */
  readonly address: string;
  /**
   * The database, with which a session could be had just now.
   *
   * @throws {Unreachable} where none could; it is tried once.
   */
  readonly connect: () => Promise<RetryingPooledDatabase>;
  readonly show: (report: Report) => void;
}

export interface Command {
  /** One word, or two: `doctor`, `locks ls`. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What else there is to know. */
  readonly about: readonly string[];
  /** What is named beside the options, as the help shows it, and how many of them there may be. */
  readonly operands?: { readonly shown: string; readonly least: number; readonly most: number };
  readonly options: CommandOptions;
  /** Meanings of exit codes of its own. */
  readonly exits?: Partial<Record<Exit, string>>;
  readonly examples: readonly string[];
  run(job: Job): Promise<Exit>;
}
