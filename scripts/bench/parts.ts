import { cachePart } from './cache-part';
import { checkoutPart } from './checkout-part';
import { decoratedPart } from './decorated-part';
import { lockPart } from './lock-part';
import { lockStealPart } from './lock-steal-part';
import { metricsPart } from './metrics-part';
import { millionPart } from './million-part';
import { mysql2FacePart } from './mysql2-face-part';
import { ormStatementPart } from './orm-statement-part';
import { ormTransactionPart } from './orm-transaction-part';
import type { Part } from './part';
import { queuePart } from './queue-part';
import { spikePart } from './spike-part';
import { statementPart } from './statement-part';
import { storePart } from './store-part';
import { transactionPart } from './transaction-part';
import { waitersPart } from './waiters-part';

/** In the order in which they are run: last those that load packages the others should not run beside. */
export const parts: readonly Part[] = [
  statementPart,
  decoratedPart,
  transactionPart,
  lockPart,
  lockStealPart,
  storePart,
  cachePart,
  queuePart,
  metricsPart,
  checkoutPart,
  spikePart,
  waitersPart,
  millionPart,
  ormStatementPart,
  ormTransactionPart,
  mysql2FacePart,
];
