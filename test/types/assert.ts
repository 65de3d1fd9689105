/**
 * For the type tests of this folder: files that are compiled (`npm run typecheck`) and never run.
 * What must compile just stands there; what must not stands under `@ts-expect-error`, whose reason says
 * which promise it guards. test/types/legacy/ is the same under `experimentalDecorators`.
 */

/** `true` when both types are the same, also in their modifiers and in `any`. */
export type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only when the type argument is `true`: `expectTrue<Equal<A, B>>()`. */
export function expectTrue<T extends true>(..._proof: readonly T[]): void {
  // all of it happens in the type argument
}
