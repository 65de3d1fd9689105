import { codesOf, type Outcome } from '../errors';
import { layers, rowOf, unlisted, type Circumstances, type DriverError } from './classify';
import type { ErrorClass } from './error-class';
import { explanationOf, type Explanation, type Facts } from './explanation';
import { doomedBy, FAMILY_TABLE, type FamilyRow } from './family-table';

const CONNECTION = { none: 'none', keep: 'kept', discard: 'lost' } as const;

const STATEMENT_ADVICE = {
  safe: 'A statement outside a transaction may be run again',
  ifIdempotent:
    'A statement outside a transaction may have been carried out, so run it again only if twice is ' +
    'the same as once',
  never: 'A statement outside a transaction must not simply be run again',
} as const;

const TRANSACTION_ADVICE = {
  restart: 'a transaction may be run again as a whole, from the outermost atomic()',
  gone: 'a transaction is rolled back, and may be run again as a whole, from the outermost atomic()',
  open: 'inside a transaction it may be run again as well, because that is still open',
  never: 'a transaction must not simply be run again',
} as const;

/** `atomic()` itself tells a lost COMMIT from other losses; whoever sends COMMIT by hand has to. */
const UNLESS_COMMITTED = ', provided that its COMMIT was not sent';

function factsOf(one: ErrorClass): Facts {
  const { name, says, connection, statement, transaction, commit } = one;
  const proviso = transaction !== 'never' && commit === 'unknown' ? UNLESS_COMMITTED : '';
  const advice =
    one.advice ?? `${STATEMENT_ADVICE[statement]}; ${TRANSACTION_ADVICE[transaction]}${proviso}.`;
  return {
    name,
    says,
    connection: CONNECTION[connection],
    statement,
    transaction: transaction === 'never' ? 'never' : 'restart',
    advice,
  };
}

/**
 * The row of an error of this library. A class of the user's that extends one is told by what it
 * extends; by the code alone what lost its class on the way, through a worker or a log.
 */
function familyRowOf(error: DriverError): FamilyRow | undefined {
  const { outcome } = error as { outcome?: Outcome };
  for (const code of [...codesOf(error), error.code]) {
    const found = FAMILY_TABLE.find(
      (row) => row.code === code && (row.outcome === undefined || row.outcome === outcome),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function factsFor(error: unknown, circumstances: Circumstances): Facts {
  let doomed: FamilyRow | undefined;
  for (const layer of layers(error)) {
    const own = familyRowOf(layer);
    if (own?.code === 'ERR_TRANSACTION_DOOMED') {
      // What may be done depends on why.
      doomed = own;
      if (layer.cause === undefined) return own;
      continue;
    }
    const one = own === undefined ? rowOf(layer, circumstances) : undefined;
    const facts = own ?? (one === undefined ? undefined : factsOf(one));
    if (facts !== undefined) return doomed === undefined ? facts : doomedBy(facts);
  }
  const rest = factsOf(unlisted(error));
  return doomed === undefined ? rest : doomedBy(rest);
}

/**
 * Says what happened and what may be done: whether the statement may be run again outside a
 * transaction, and whether a transaction may be run again from the outermost `atomic()`. For errors
 * of the server, the driver, the network and this library, also where they are the `cause` of another
 * error or a part of an `AggregateError`. Anything else is explained as not known; nothing throws.
 *
 * Name, sentence and advice come from a fixed list: no value, no name and no part of the error's own
 * message is in them. Where the connection is of no more use, `connection` is `'lost'`.
 *
 * @param circumstances what is known beside the error. Without a `flavour`, a number that means
 * something on one of them only is read so; without `sent`, the statement counts as sent.
 */
export function explain(error: unknown, circumstances: Circumstances = {}): Explanation {
  return explanationOf(factsFor(error, circumstances));
}
