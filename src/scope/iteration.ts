import { FrameMismatchError } from '../errors';
import { raced } from '../limit';
import { leave, openScope, type OpenedScope, type ScopeOptions } from './connection-scope';
import { currentContext, runIn, type FrameLink } from './context';

/** What a generator's steps belong to, from its first `next()` to its end. */
interface Span extends OpenedScope {
  readonly frames: FrameLink | undefined;
}

/** Iterations that were begun and that nobody holds any more: their scopes would never end. */
const abandoned = new FinalizationRegistry<OpenedScope>(({ scope, limit }) => {
  scope.abandon();
  limit?.end();
});

/**
 * An async iteration whose scope lasts from its first `next()` until it ends: by finishing, `break`,
 * `return()` or a throw. Every step runs inside that scope.
 *
 * The iteration belongs to the transaction frame of its first `next()`. A later `next()` from
 * another frame rejects with {@link FrameMismatchError} and leaves the iteration where it was;
 * `return()` and `throw()` are always let through, since they clean up.
 */
export class ScopedIteration<T, R, N> implements AsyncGenerator<T, R, N> {
  readonly #source: AsyncIterable<T, R, N>;
  readonly #options: ScopeOptions;
  #iterator: AsyncIterator<T, R, N> | undefined;
  #span: Span | undefined;
  #over = false;

  constructor(source: AsyncIterable<T, R, N>, options: ScopeOptions) {
    this.#source = source;
    this.#options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(...args: [] | [N]): Promise<IteratorResult<T, R>> {
    if (this.#over) return Promise.resolve({ done: true, value: undefined as R });
    const frames = currentContext()?.frames;
    const span = (this.#span ??= this.#begin());
    if (span.frames !== frames) {
      return Promise.reject(
        new FrameMismatchError(
          'This generator was begun inside one transaction block and is continued in another. ' +
            'Run it to its end where its first next() was called.',
        ),
      );
    }
    return this.#step(span, (iterator) => iterator.next(...args));
  }

  return(value?: R | PromiseLike<R>): Promise<IteratorResult<T, R>> {
    return this.#finish(
      (iterator) => iterator.return?.(value),
      async () => ({
        done: true,
        value: (await value) as R,
      }),
    );
  }

  throw(error: unknown): Promise<IteratorResult<T, R>> {
    return this.#finish(
      (iterator) => iterator.throw?.(error),
      () => Promise.reject(error),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #begin(): Span {
    const outer = currentContext();
    const opened = openScope(outer, this.#options);
    abandoned.register(this, opened, this);
    return { ...opened, frames: outer?.frames };
  }

  #finish(
    act: (iterator: AsyncIterator<T, R, N>) => Promise<IteratorResult<T, R>> | undefined,
    otherwise: () => Promise<IteratorResult<T, R>>,
  ): Promise<IteratorResult<T, R>> {
    const span = this.#span;
    // Never begun, or over: there is nothing to clean up, and the body must not start now.
    if (span === undefined || this.#over) {
      this.#over = true;
      return otherwise();
    }
    return this.#step(span, (iterator) => act(iterator) ?? this.#leaveThen(span, otherwise));
  }

  async #leaveThen<V>(span: Span, then: () => Promise<V>): Promise<V> {
    await this.#leave(span);
    return then();
  }

  async #step(
    span: Span,
    act: (iterator: AsyncIterator<T, R, N>) => Promise<IteratorResult<T, R>>,
  ): Promise<IteratorResult<T, R>> {
    try {
      const step = runIn(span.context, () => {
        this.#iterator ??= this.#source[Symbol.asyncIterator]();
        return act(this.#iterator);
      });
      const result = await raced(span.limit, step);
      if (result.done === true) await this.#leave(span);
      return result;
    } catch (error) {
      await this.#leave(span);
      throw error;
    }
  }

  async #leave(span: Span): Promise<void> {
    this.#over = true;
    abandoned.unregister(this);
    await leave(span);
  }
}
