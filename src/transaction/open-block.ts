import type { Timer } from '../clock';
import { TurnTimeoutError } from '../errors';
import { currentContext, runIn, type Context } from '../scope/context';
import type { AtomicCallback } from './atomic';
import type { AtomicOptions } from './atomic-options';
import type { StatementFace } from './statement-face';
import { TransactionBlock } from './transaction-block';
import type { TransactionHost } from './transaction';

/** Where statements run, and where a block can be begun. */
export interface Ground {
  readonly statements: StatementFace;
  /** Where a block that is begun here stands, whoever begins it. */
  readonly context: Context | undefined;
  /** To be called in that context. */
  atomic<T>(fn: AtomicCallback<T>, options?: AtomicOptions): Promise<T>;
}

/** Ends a block without telling its error to anybody. */
const CALLED_OFF = new Error('rolled back by a call');

/**
 * A transaction block that is begun and ended by calls instead of being a callback's extent, for
 * interfaces that know it so. It has no context of its own: only what is issued through it is part of it.
 *
 * A block around it that is left waits for it as for any other, but for `acquireTimeout` at most: a call
 * may never come. Then both are rolled back.
 */
export class OpenBlock implements Ground {
  readonly statements: TransactionBlock;
  readonly context: Context | undefined;
  readonly #ground: Ground;
  readonly #host: TransactionHost;
  readonly #over: Promise<void>;
  readonly #commit: () => void;
  readonly #rollBack: (reason: Error) => void;
  #deadline: Timer | undefined;

  private constructor(ground: Ground, host: TransactionHost, begun: Begun, over: Promise<void>) {
    this.#ground = ground;
    this.#host = host;
    this.statements = begun.tx;
    this.context = begun.context;
    this.#commit = begun.commit;
    this.#rollBack = begun.rollBack;
    this.#over = over;
    this.#watch();
  }

  /** Rejects as `atomic` does for a block that is not even begun. */
  static async begin(
    ground: Ground,
    host: TransactionHost,
    options: AtomicOptions,
  ): Promise<OpenBlock> {
    let over: Promise<void> | undefined;
    const begun = await new Promise<Begun>((resolve, reject) => {
      const fn = (tx: TransactionBlock): Promise<void> =>
        new Promise((commit, rollBack) => {
          resolve({ tx, context: currentContext(), commit, rollBack });
        });
      over = runIn(ground.context, () => ground.atomic(fn, options));
      over.catch(reject);
    });
    return new OpenBlock(ground, host, begun, over ?? Promise.resolve());
  }

  atomic<T>(fn: AtomicCallback<T>, options?: AtomicOptions): Promise<T> {
    return this.#ground.atomic(fn, options);
  }

  /** Rejects as `atomic` does, where it then is rolled back as far as it can be. */
  commit(): Promise<void> {
    this.#commit();
    return this.#over;
  }

  /** Never rejects. */
  async rollBack(): Promise<void> {
    this.#rollBack(CALLED_OFF);
    await this.#over.catch(() => {});
  }

  #watch(): void {
    const { signal } = this.statements;
    const frame = TransactionBlock.frameOf(this.statements);
    // A block around it failed, or its time is up.
    const calledOff = (): void => this.#rollBack(CALLED_OFF);
    if (signal.aborted) calledOff();
    else signal.addEventListener('abort', calledOff, { once: true });
    const unlisten = frame.onAwaited((patience) => {
      if (patience === 0) return;
      this.#deadline = this.#host.clock.setDeadline(() => {
        frame.spoilOuter(neverEnded(patience));
        this.#rollBack(CALLED_OFF);
      }, patience);
    });
    const settled = (): void => {
      unlisten();
      this.#deadline?.cancel();
    };
    this.#over.then(settled, settled);
  }
}

/** What a callback that has begun leaves to whoever ends it. */
interface Begun {
  readonly tx: TransactionBlock;
  readonly context: Context | undefined;
  readonly commit: () => void;
  readonly rollBack: (reason: Error) => void;
}

function neverEnded(patience: number): TurnTimeoutError {
  return new TurnTimeoutError(
    `A transaction or savepoint that was begun by text inside this block was neither committed nor ` +
      `rolled back within ${patience} ms after the block had come to its end.`,
  );
}
