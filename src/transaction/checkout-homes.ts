import { currentContext, type Context } from '../scope/context';
import type { AtomicCallback } from './atomic';
import type { AtomicOptions } from './atomic-options';
import type { CheckoutHome } from './checkout';
import type { Frame } from './frame';
import type { Ground } from './open-block';
import type { PooledConnection } from './pooled-connection';
import { TransactionBlock } from './transaction-block';
import type { TransactionHost } from './transaction';

/** A lease of its own, which a checkout gives back. */
export class OwnLease implements CheckoutHome {
  readonly statements: PooledConnection;
  readonly context: Context | undefined = currentContext();
  readonly inBlock = false;

  constructor(connection: PooledConnection) {
    this.statements = connection;
  }

  get threadId(): number {
    return this.statements.threadId;
  }

  atomic<T>(fn: AtomicCallback<T>, options?: AtomicOptions): Promise<T> {
    return this.statements.atomic(fn, options);
  }

  release(): Promise<void> {
    return this.statements.release();
  }

  destroy(): void {
    this.statements.destroy();
  }
}

const DONE = Promise.resolve();

/** The transaction block that the caller stands in. The connection stays the block's. */
export class BlockView implements CheckoutHome {
  readonly statements: TransactionBlock;
  readonly context: Context | undefined = currentContext();
  readonly inBlock = true;
  readonly threadId = undefined;
  readonly atomic: Ground['atomic'];

  constructor(frame: Frame, host: TransactionHost, atomic: Ground['atomic']) {
    this.statements = new TransactionBlock(host, frame, 1);
    this.atomic = atomic;
  }

  release(): Promise<void> {
    return DONE;
  }

  destroy(): void {}
}
