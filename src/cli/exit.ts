/** What the process ends with: scripts may rely on it. */
export const Exit = {
  /** Done; or nothing is wrong. */
  done: 0,
  /** It was not done, or something is wrong. */
  problem: 1,
  /** The command line is wrong. Nothing was done. */
  usage: 2,
  /** There was no session to be had: no answer, or the login was refused. Nothing was done. */
  unreachable: 3,
} as const;

export type Exit = (typeof Exit)[keyof typeof Exit];

/** What each means for a command that does not say otherwise. */
export const EXITS: Readonly<Record<Exit, string>> = {
  0: 'done',
  1: 'the server refused it, or something was missing; the text says what',
  2: 'the command line is wrong; nothing was done',
  3: 'no session could be had: the server does not answer, or refuses the login',
};

/** What was asked for could not be done; nothing was. */
export class Undone extends Error {
  constructor(
    message: string,
    readonly advice: string,
  ) {
    super(message);
  }
}

/** A mistake in the command line. */
export class UsageError extends Error {
  /** @param hint what was probably meant. */
  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}
