import { sharedStorage } from '../async-context';
import type { Scope } from './scope';

/** A transaction frame as scopes see it. */
export interface OpenFrame {
  readonly label: string | undefined;
}

/** The frames a piece of code runs in, one per database at most; innermost first. */
export interface FrameLink {
  /** What tells databases apart: the pool. */
  readonly key: object;
  readonly frame: OpenFrame;
  readonly outer: FrameLink | undefined;
}

/** Where a piece of code stands. Never changed, only replaced for what is called from here. */
export interface Context {
  readonly scope: Scope | undefined;
  readonly frames: FrameLink | undefined;
}

/*
 * The number belongs to the shape of Context: copies of this package that agree on it see each
 * other's scopes. `enterWith` is never used: it would change the caller's own context.
 */
const storage = sharedStorage<Context>('mysql-boomerang/scope@1');

export function currentContext(): Context | undefined {
  return storage.getStore();
}

export function runIn<T>(context: Context | undefined, fn: () => T): T {
  return storage.run(context, fn);
}

/** The innermost frame of the database `key` that the context is in, open or over. */
export function frameFor(context: Context | undefined, key: object): OpenFrame | undefined {
  for (let link = context?.frames; link !== undefined; link = link.outer) {
    if (link.key === key) return link.frame;
  }
  return undefined;
}

/** Runs `fn` in no scope and no transaction. */
export function withoutScope<T>(fn: () => T): T {
  return runIn(undefined, fn);
}
