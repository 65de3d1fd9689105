import { errorFields, type Logger } from '../logger';

export type Hook = () => unknown;

/** Must not throw. `committed` is false where it is not known, too. */
export type Settled = (committed: boolean) => void;

/** What is to be done once a transaction has ended one way or the other. */
export class TransactionHooks {
  readonly #logger: Logger;
  #afterCommit: Hook[] = [];
  #afterRollback: Hook[] = [];
  /** The library's own: told once the whole transaction is over. */
  readonly #whenSettled: Settled[] = [];
  readonly #beforeCommit: (() => Promise<void>)[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  afterCommit(hook: Hook): void {
    this.#afterCommit.push(hook);
  }

  afterRollback(hook: Hook): void {
    this.#afterRollback.push(hook);
  }

  /** The library's own: run before COMMIT, as part of the transaction; a rejection rolls back. */
  beforeCommit(work: () => Promise<void>): void {
    this.#beforeCommit.push(work);
  }

  get hasBeforeCommit(): boolean {
    return this.#beforeCommit.length > 0;
  }

  async runBeforeCommit(): Promise<void> {
    for (const work of this.#beforeCommit.splice(0)) await work();
  }

  /** `settled` is told, when the whole transaction is over, whether what was written here stays. */
  whenSettled(settled: Settled): void {
    this.#whenSettled.push(settled);
  }

  /** What is written here is undone; the transaction around it goes on. */
  undoIn(parent: TransactionHooks): void {
    const undone = this.#whenSettled.splice(0);
    parent.#whenSettled.push(...undone.map((settled) => () => settled(false)));
  }

  /** A savepoint that was released: its fate is its parent's. */
  moveTo(parent: TransactionHooks): void {
    parent.#afterCommit.push(...this.#afterCommit.splice(0));
    parent.#afterRollback.push(...this.#afterRollback.splice(0));
    parent.#whenSettled.push(...this.#whenSettled.splice(0));
    parent.#beforeCommit.push(...this.#beforeCommit.splice(0));
  }

  committed(): Promise<void> | undefined {
    this.#afterRollback = [];
    this.#settle(true);
    return this.#run(this.#afterCommit);
  }

  rolledBack(): Promise<void> | undefined {
    this.#afterCommit = [];
    this.#settle(false);
    return this.#run(this.#afterRollback);
  }

  /** Neither is known to have happened: no hook runs. */
  forget(): void {
    this.#afterCommit = [];
    this.#afterRollback = [];
    this.#settle(false);
  }

  #settle(committed: boolean): void {
    for (const settled of this.#whenSettled.splice(0)) settled(committed);
  }

  /** One by one, awaited. A hook's error is reported and stops neither the others nor the caller. */
  #run(hooks: Hook[]): Promise<void> | undefined {
    return hooks.length === 0 ? undefined : this.#runAll(hooks);
  }

  async #runAll(hooks: Hook[]): Promise<void> {
    for (const hook of hooks) await runHook(hook, this.#logger);
  }
}

/** Runs one hook; its error is logged, never thrown. */
export async function runHook(hook: Hook, logger: Logger): Promise<void> {
  try {
    await hook();
  } catch (error) {
    logger.error(errorFields(error), 'a transaction hook failed');
  }
}
