import type { ObservedStatement, Observer, TransactionOutcome } from '../metrics/observer';
import type { RemovalReason } from '../metrics/tracker';
import { Histogram } from './histogram';
import type { SlowStatements } from './slow-statements';

/** Statements of one kind that ended in one way. */
export interface StatementTally {
  readonly operation: string;
  /** `undefined`: they were answered. */
  readonly errorClass: string | undefined;
  readonly durations: Histogram;
}

/** How often each of a few names was met. */
export class Tally<Name extends string> {
  readonly counts = new Map<Name, number>();

  /** @param names those that are to be there from the beginning, at 0. */
  constructor(names: readonly Name[] = []) {
    for (const name of names) this.counts.set(name, 0);
  }

  note(name: Name): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

/**
 * Counts what an observed database tells, in plain fields: this is on the way of each statement, and a
 * metrics library's own counters would cost several times as much. They are read when somebody looks.
 */
export class Recorder implements Observer {
  readonly waits = new Histogram();
  readonly uses = new Histogram();
  readonly connects = new Histogram();
  readonly outcomes = new Tally<TransactionOutcome>(['committed', 'rolledBack', 'inDoubt']);
  readonly repeats = new Tally<string>();
  readonly removals = new Tally<RemovalReason>(['retired', 'lost', 'unfit', 'discarded']);
  readonly leaks = new Tally<'held' | 'reclaimed'>(['held', 'reclaimed']);
  timeouts = 0;
  connectFailures = 0;
  readonly #answered = new Map<string, Histogram>();
  readonly #failed = new Map<string, Map<string, Histogram>>();
  readonly #slow: SlowStatements;

  /** @param slow where statements that took long are kept. */
  constructor(slow: SlowStatements) {
    this.#slow = slow;
  }

  acquired(waited: number): void {
    this.waits.note(waited);
  }

  held(elapsed: number): void {
    this.uses.note(elapsed);
  }

  connected(elapsed: number): void {
    this.connects.note(elapsed);
  }

  connectFailed(): void {
    this.connectFailures++;
  }

  removed(reason: RemovalReason): void {
    this.removals.note(reason);
  }

  timedOut(): void {
    this.timeouts++;
  }

  leaked(kind: 'held' | 'reclaimed'): void {
    this.leaks.note(kind);
  }

  statement(statement: ObservedStatement): void {
    const { operation, elapsed, errorClass } = statement;
    if (elapsed >= this.#slow.threshold) this.#slow.note(statement);
    if (errorClass === undefined) durationsOf(this.#answered, operation).note(elapsed);
    else this.#noteFailed(operation, errorClass, elapsed);
  }

  repeated(errorClass: string): void {
    this.repeats.note(errorClass);
  }

  transaction(outcome: TransactionOutcome): void {
    this.outcomes.note(outcome);
  }

  *statements(): Generator<StatementTally, void, undefined> {
    for (const [operation, durations] of this.#answered) {
      yield { operation, errorClass: undefined, durations };
    }
    for (const [operation, classes] of this.#failed) {
      for (const [errorClass, durations] of classes) yield { operation, errorClass, durations };
    }
  }

  #noteFailed(operation: string, errorClass: string, elapsed: number): void {
    let classes = this.#failed.get(operation);
    if (classes === undefined)
      this.#failed.set(operation, (classes = new Map<string, Histogram>()));
    durationsOf(classes, errorClass).note(elapsed);
  }
}

function durationsOf(histograms: Map<string, Histogram>, name: string): Histogram {
  let found = histograms.get(name);
  if (found === undefined) histograms.set(name, (found = new Histogram()));
  return found;
}

/** How often each outcome of transactions was met, by all of these. */
export function outcomesOf(recorders: readonly Recorder[]): Record<TransactionOutcome, number> {
  const all = { committed: 0, rolledBack: 0, inDoubt: 0 };
  for (const { outcomes } of recorders) {
    for (const [outcome, count] of outcomes.counts) all[outcome] += count;
  }
  return all;
}
