import { Latency } from './latency';

export const CALL_KINDS = ['read', 'idempotent write', 'transaction', 'single insert'] as const;
export type CallKind = (typeof CALL_KINDS)[number];

/** Calls of one kind: how many were answered, how fast, and what went wrong. */
export class CallRecord {
  readonly latency = new Latency();
  readonly errors: unknown[] = [];
}

/** What a run's callers met, counted. */
export class Tally {
  readonly calls: Readonly<Record<CallKind, CallRecord>> = {
    read: new CallRecord(),
    'idempotent write': new CallRecord(),
    transaction: new CallRecord(),
    'single insert': new CallRecord(),
  };
  /** Every answered call, whatever its kind. */
  readonly overall = new Latency();
  /** Transactions that lost their connection before COMMIT, and were run again by their caller. */
  restarted = 0;
  /** Writes whose answer did not come … */
  inDoubt = 0;
  /** … that a look into the table found written … */
  foundWritten = 0;
  /** … or not written, and that their caller therefore made again. */
  madeAgain = 0;

  /** Runs one call, and records its duration or its error. Never rejects. */
  async measure(kind: CallKind, call: () => Promise<unknown>): Promise<void> {
    const record = this.calls[kind];
    const begun = performance.now();
    try {
      await call();
      const elapsed = performance.now() - begun;
      record.latency.record(elapsed);
      this.overall.record(elapsed);
    } catch (error) {
      record.errors.push(error);
    }
  }

  get answered(): number {
    return this.overall.count;
  }

  get errors(): readonly unknown[] {
    return this.#records.flatMap(({ errors }) => errors);
  }

  get errorCount(): number {
    return this.#records.reduce((sum, { errors }) => sum + errors.length, 0);
  }

  get #records(): readonly CallRecord[] {
    return CALL_KINDS.map((kind) => this.calls[kind]);
  }
}
