import { onAbort } from './abort-listeners';
import type { Clock, Timer } from './clock';
import {
  InvalidArgumentError,
  StatementAbortedError,
  StatementTimeoutError,
  TransactionTimeoutError,
  describe,
  type BoomerangError,
  type Outcome,
} from './errors';

/** What bounds a statement, a scope or a transaction. */
export interface Bounds {
  /** The longest time in ms, waiting for a connection included; 0 is no limit. @default 0 */
  readonly timeout?: number;
  /** Calls the work off when it is aborted. */
  readonly signal?: AbortSignal;
}

/** What a limit belongs to. */
export interface LimitSubject {
  readonly kind: 'statement' | 'scope' | 'transaction';
  readonly label?: string | undefined;
}

/** @throws {InvalidArgumentError} naming the option and the rule. */
export function checkBounds({ timeout, signal }: Bounds): void {
  if (timeout !== undefined && !(Number.isFinite(timeout) && timeout >= 0)) {
    const rule = `must be a number of milliseconds, 0 or more, got ${describe(timeout)}`;
    throw new InvalidArgumentError('timeout', rule);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError('signal', `must be an AbortSignal, got ${describe(signal)}`);
  }
}

const AFTERMATH: Readonly<Record<Outcome, string>> = {
  executed: 'The server had carried the statement out all the same.',
  notExecuted: 'The statement had no effect.',
  unknown: 'Whether the statement had an effect is not known.',
};

/**
 * Until when some work may go on: its own time limit and signal, and those of the work around it.
 * The first of them that is hit counts.
 */
export class Limit {
  /** The earliest end of all, by the clock; `Infinity` where only signals bound the work. */
  readonly deadline: number;
  /** The end by its own time limit. */
  readonly #own: number;
  readonly #clock: Clock;
  readonly #subject: LimitSubject;
  readonly #options: Bounds;
  readonly #outer: Limit | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #timer: Timer | undefined;
  readonly #unlisten: (() => void)[] = [];
  readonly #stopping = new Set<Promise<void>>();
  #controller: AbortController | undefined;
  /** The limit that was hit: this one, or one around it. */
  #culprit: Limit | undefined;
  #aborted = false;
  #over = false;

  constructor(clock: Clock, subject: LimitSubject, options: Bounds, outer?: Limit) {
    const { timeout = 0, signal } = options;
    this.#clock = clock;
    this.#subject = subject;
    this.#options = options;
    this.#outer = outer;
    this.#own = timeout > 0 ? clock.now() + timeout : Infinity;
    this.deadline = Math.min(this.#own, outer?.deadline ?? Infinity);
    if (outer?.hit === true || signal?.aborted === true) {
      this.#hit(outer?.hit === true ? outer : this, signal?.aborted === true);
      return;
    }
    if (timeout > 0) this.#timer = clock.setDeadline(() => this.#hit(this, false), timeout);
    if (signal !== undefined) this.#unlisten.push(onAbort(signal, () => this.#hit(this, true)));
    if (outer !== undefined) this.#unlisten.push(outer.onHit(() => this.#hit(outer, false)));
  }

  /** The limit with `options` inside `outer`; `outer` itself where they bound nothing. */
  static within(
    outer: Limit | undefined,
    clock: Clock,
    subject: LimitSubject,
    options: Bounds,
  ): Limit | undefined {
    const bounds = (options.timeout ?? 0) > 0 || options.signal !== undefined;
    return bounds ? new Limit(clock, subject, options, outer) : outer;
  }

  get hit(): boolean {
    if (this.#culprit !== undefined) return true;
    // A program that was busy meanwhile has not heard the timer yet.
    if (this.#over || this.#clock.now() < this.deadline) return false;
    // Which tells this one; one around that is over bounds nothing any more.
    if (this.#outer?.hit === true) return true;
    if (this.#clock.now() < this.#own) return false;
    this.#hit(this, false);
    return true;
  }

  /** Aborted when the limit is hit. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.hit) this.#controller.abort(this.error('notExecuted'));
    }
    return this.#controller.signal;
  }

  /** Calls `listener` when the limit is hit, which it must not be yet. Returns what takes it away. */
  onHit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Whether there is anything that a hit would stop. */
  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  /** What a statement that was cut off rejects with. */
  error(outcome: Outcome, cause?: unknown): BoomerangError {
    return this.#error(AFTERMATH[outcome], outcome, cause);
  }

  /** What the scope or transaction itself rejects with. */
  get whole(): BoomerangError {
    return this.#error('Statements of it that ran before stand.', 'unknown', undefined);
  }

  #error(aftermath: string, outcome: Outcome, cause: unknown): BoomerangError {
    const culprit = this.#culprit ?? this;
    if (culprit !== this) return culprit.#error(aftermath, outcome, cause);
    const { kind, label } = this.#subject;
    const what = `${kind}${label === undefined ? '' : ` '${label}'`}`;
    const after = kind === 'transaction' ? 'It is rolled back.' : aftermath;
    const known = kind === 'transaction' ? 'notExecuted' : outcome;
    if (this.#aborted) {
      const reason: unknown = this.#options.signal?.reason;
      const text = `The signal of this ${what} was aborted. ${after}`;
      return new StatementAbortedError(text, known, { cause: reason });
    }
    const text = `The time limit of ${this.#options.timeout ?? 0} ms of this ${what} passed. ${after}`;
    const details = cause === undefined ? {} : { cause };
    return kind === 'transaction'
      ? new TransactionTimeoutError(text, details)
      : new StatementTimeoutError(text, known, details);
  }

  /** What the limit is stopping, which resolves when that is done. */
  stopping(stopped: Promise<void>): void {
    this.#stopping.add(stopped);
    void stopped.then(() => this.#stopping.delete(stopped));
    this.#outer?.stopping(stopped);
  }

  /** Resolves when all that was stopped so far has stopped. */
  async stopped(): Promise<void> {
    // The listeners of this very hit come first.
    await Promise.resolve();
    await Promise.all(this.#stopping);
  }

  /** Calls the work off now, whatever it is bounded by. */
  callOff(): void {
    if (!this.#over) this.#hit(this, false);
  }

  /** The work is over: nothing is hit any more, and nothing is left behind. Not for the limits around it. */
  end(): void {
    this.#over = true;
    this.#timer?.cancel();
    for (const unlisten of this.#unlisten.splice(0)) unlisten();
    this.#listeners.clear();
  }

  #hit(culprit: Limit, aborted: boolean): void {
    if (this.#culprit !== undefined) return;
    this.#culprit = culprit;
    this.#aborted = aborted;
    const listeners = [...this.#listeners];
    this.end();
    this.#controller?.abort(this.error('notExecuted'));
    for (const listener of listeners) listener();
  }
}

/**
 * Resolves or rejects as `work` does. Once the limit is hit, and what it stopped is settled, rejects
 * with the limit's error; `work` itself goes on, unheard.
 */
export function raced<T>(limit: Limit | undefined, work: Promise<T>): Promise<T> {
  if (limit === undefined) return work;
  return new Promise((resolve, reject) => {
    const giveUp = async (): Promise<void> => {
      await limit.stopped();
      // What was stopped rejects first, and may tell more.
      setImmediate(() => reject(limit.whole));
    };
    let unlisten: (() => void) | undefined;
    if (limit.hit) void giveUp();
    else unlisten = limit.onHit(() => void giveUp());
    const settled = (): void => unlisten?.();
    work.then(resolve, reject).then(settled, settled);
  });
}
