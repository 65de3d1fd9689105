import type { Result, StatementKind } from '../driver/statement';
import type { StatementRequest } from '../driver/statement-arguments';
import { checkFunction } from '../errors';
import type { Limit } from '../limit';
import { currentContext, frameFor, type Context } from '../scope/context';
import type { Frame } from './frame';
import type { Hook } from './hooks';
import type { OpenStream } from './row-stream';
import { StatementFace } from './statement-face';
import { limitOf, underLimit } from './statement-limit';
import type { TransactionHost } from './transaction';

/** The transaction block as its callback sees it; `db.query` inside the block does the same. */
export class TransactionBlock extends StatementFace {
  readonly #frame: Frame;
  readonly #host: TransactionHost;
  /** Which run of the callback this is, from 1. */
  readonly attempt: number;

  /** @internal */
  constructor(host: TransactionHost, frame: Frame, attempt: number) {
    super(host);
    this.#host = host;
    this.#frame = frame;
    this.attempt = attempt;
  }

  /** Aborted when the block is called off: its time is up, its signal was aborted, or a block around it failed. */
  get signal(): AbortSignal {
    return this.#frame.signal;
  }

  /** Runs `hook` once this block's writes are committed for good; never, if they are not. */
  afterCommit(hook: Hook): void {
    addHook(this.#frame, 'afterCommit', hook);
  }

  /** Runs `hook` once this block's writes are rolled back. */
  afterRollback(hook: Hook): void {
    addHook(this.#frame, 'afterRollback', hook);
  }

  /** @internal The frame that a block stands for. */
  static frameOf(block: TransactionBlock): Frame {
    return block.#frame;
  }

  /** @internal */
  protected dispatch<T>(kind: StatementKind, request: StatementRequest): Promise<Result<T>> {
    return runInFrame<T>(this.#frame, this.#host, kind, request);
  }

  /** @internal */
  protected dispatchStream(request: StatementRequest): OpenStream {
    return streamInFrame(this.#frame, this.#host, request);
  }
}

/** What opens a stream in a frame, within the limits of both the frame and the caller. */
export function streamInFrame(
  frame: Frame,
  host: TransactionHost,
  request: StatementRequest,
): OpenStream {
  const around = limitIn(frame);
  return async () => {
    const limit = limitOf(request, around, host);
    const done = (): void => {
      if (limit !== around) limit?.end();
    };
    try {
      return await frame.stream(request.statement, limit, done);
    } catch (error) {
      done();
      throw error;
    }
  };
}

/** Runs a statement in a frame, within the limits of both the frame and the caller. */
export function runInFrame<T>(
  frame: Frame,
  host: TransactionHost,
  kind: StatementKind,
  request: StatementRequest,
): Promise<Result<T>> {
  return underLimit(request, limitIn(frame), host, (limit) =>
    frame.run<T>(kind, request.statement, limit),
  );
}

/** The limit of where the caller stands, if that is inside the frame; else the frame's. */
function limitIn(frame: Frame): Limit | undefined {
  const context = currentContext();
  for (let link = context?.frames; link !== undefined; link = link.outer) {
    if (link.frame === frame) return context?.scope?.limit;
  }
  return frame.limit;
}

/** @throws {TransactionClosedError} where the frame is over, {@link InvalidArgumentError} for no function. */
export function addHook(frame: Frame, kind: 'afterCommit' | 'afterRollback', hook: Hook): void {
  checkFunction('hook', hook);
  const refusal = frame.isOver ? frame.refusal() : undefined;
  if (refusal !== undefined) throw refusal;
  frame.hooks[kind](hook);
}

/** The innermost frame of `key` in a context, open or over. Frames are made by atomic() and nowhere else. */
export function frameOf(context: Context | undefined, key: object): Frame | undefined {
  return frameFor(context, key) as Frame | undefined;
}

/** The innermost frame of `key` that the caller is in, open or over. */
export function currentFrame(key: object): Frame | undefined {
  return frameOf(currentContext(), key);
}
