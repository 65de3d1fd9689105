import { currentContext } from '../scope/context';
import type { Ground } from './open-block';
import type { CheckoutHome } from './checkout';
import type { Frame } from './frame';
import type { PooledConnection } from './pooled-connection';
import { TransactionBlock } from './transaction-block';
import type { TransactionHost } from './transaction';

/** On a lease of its own, which it gives back. */
export function onLease(connection: PooledConnection): CheckoutHome {
  return {
    statements: connection,
    context: currentContext(),
    inBlock: false,
    threadId: connection.threadId,
    atomic: (fn, options) => connection.atomic(fn, options),
    release: () => connection.release(),
    destroy: () => connection.destroy(),
  };
}

/** In the transaction block that the caller stands in. The connection stays the block's. */
export function inFrame(
  frame: Frame,
  host: TransactionHost,
  atomic: Ground['atomic'],
): CheckoutHome {
  return {
    statements: new TransactionBlock(host, frame, 1),
    context: currentContext(),
    inBlock: true,
    threadId: undefined,
    atomic,
    release: () => Promise.resolve(),
    destroy: () => {},
  };
}
