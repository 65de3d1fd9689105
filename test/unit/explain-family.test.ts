import { explain } from '../../src/driver/explain';
import type { Explanation } from '../../src/driver/explanation';
import { FAMILY_TABLE } from '../../src/driver/family-table';
import * as errors from '../../src/errors';
import { codeError, serverError } from '../support/fake-driver';

type Essence = [
  name: string,
  connection: Explanation['connection'],
  statement: Explanation['statement'],
  transaction: Explanation['transaction'],
];

function essenceOf(error: unknown): Essence {
  const { name, connection, statement, transaction } = explain(error);
  return [name, connection, statement, transaction];
}

class StatementTimeoutError extends errors.BoomerangError {
  static override readonly code = 'ERR_STATEMENT_TIMEOUT';
  constructor(readonly outcome?: errors.Outcome) {
    super('text');
  }
}

class Busy extends errors.PoolExhaustedError {
  static override readonly code = 'ERR_MINE';
}

const numbers = { total: 1, active: 1, idle: 0, waiting: 2 };

function doomed(cause?: unknown): Error {
  return new errors.TransactionDoomedError('text', cause === undefined ? {} : { cause });
}

const DOOMED = 'transaction doomed';

describe('an error of this library', () => {
  it.each<[Error, Essence, RegExp]>([
    [
      new errors.ConfigurationError('port', 'rule'),
      ['wrong option', 'none', 'never', 'never'],
      /Correct/,
    ],
    [
      new errors.InvalidArgumentError('values', 'rule'),
      ['wrong argument', 'none', 'never', 'never'],
      /Correct/,
    ],
    [
      new errors.PoolExhaustedError('text', numbers),
      ['pool exhausted', 'none', 'safe', 'restart'],
      /may be run again/,
    ],
    [new Busy('text', numbers), ['pool exhausted', 'none', 'safe', 'restart'], /connectionLimit/],
    [
      new errors.PoolClosedError('text'),
      ['database ended', 'none', 'never', 'never'],
      /may have been carried out/,
    ],
    [
      new errors.LeaseReleasedError('text'),
      ['connection given back', 'none', 'never', 'never'],
      /another connection/,
    ],
    [
      new errors.TransactionOpenError('text'),
      ['transaction open', 'kept', 'never', 'never'],
      /End the open/,
    ],
    [
      new errors.TransactionClosedError('text'),
      ['transaction closed', 'none', 'never', 'never'],
      /withoutScope/,
    ],
    [doomed(), [DOOMED, 'none', 'never', 'restart'], /outermost atomic\(\) and run that again/],
    [
      new errors.ImplicitCommitError('text'),
      ['implicit commit', 'kept', 'never', 'never'],
      /outside atomic/,
    ],
    [
      new errors.CommitInDoubtError('text'),
      ['commit in doubt', 'lost', 'never', 'never'],
      /Look for the effects/,
    ],
    [
      new errors.TurnTimeoutError('text'),
      ['turn timeout', 'kept', 'safe', 'restart'],
      /nested block/,
    ],
    [
      new errors.TransactionControlError('text'),
      ['transaction control as text', 'none', 'never', 'never'],
      /atomic/,
    ],
    [
      new errors.FrameMismatchError('text'),
      ['generator in another transaction', 'none', 'never', 'never'],
      /same transaction/,
    ],
    [
      new StatementTimeoutError('notExecuted'),
      ['statement timeout', 'kept', 'safe', 'never'],
      /may be run again/,
    ],
    [
      new StatementTimeoutError('executed'),
      ['statement timeout', 'kept', 'never', 'never'],
      /it has happened/,
    ],
    [
      new StatementTimeoutError('unknown'),
      ['statement timeout', 'lost', 'ifIdempotent', 'never'],
      /only if twice/,
    ],
    [
      new StatementTimeoutError(),
      ['statement timeout', 'lost', 'ifIdempotent', 'never'],
      /only if twice/,
    ],
    [
      codeError('ERR_STATEMENT_ABORTED', { outcome: 'notExecuted' }),
      ['statement aborted', 'kept', 'safe', 'never'],
      /may be run/,
    ],
    [
      codeError('ERR_STATEMENT_ABORTED', { outcome: 'executed' }),
      ['statement aborted', 'kept', 'never', 'never'],
      /has happened/,
    ],
    [
      codeError('ERR_STATEMENT_ABORTED', { outcome: 'unknown' }),
      ['statement aborted', 'lost', 'ifIdempotent', 'never'],
      /twice/,
    ],
    [
      codeError('ERR_TRANSACTION_TIMEOUT'),
      ['transaction timeout', 'none', 'never', 'restart'],
      /as a whole/,
    ],
    [codeError('ERR_STREAM_OPEN'), ['stream open', 'kept', 'safe', 'never'], /Read the stream/],
    [
      new errors.BoomerangError('text'),
      ['error of mysql-boomerang', 'none', 'never', 'never'],
      /text of the error/,
    ],
    [
      new Error('x', { cause: new errors.PoolClosedError('text') }),
      ['database ended', 'none', 'never', 'never'],
      /Run nothing/,
    ],
  ])('%p', (error, essence, advice) => {
    expect(essenceOf(error)).toEqual(essence);
    expect(explain(error).advice).toMatch(advice);
  });

  it('has a row for each class of the family', () => {
    const family = Object.values(errors).flatMap((one) => ('code' in one ? [one.code] : []));
    const known = new Set(FAMILY_TABLE.map(({ code }) => code));
    expect(family.filter((code) => !known.has(code))).toEqual([]);
  });

  it.each<[string, unknown, Essence, RegExp]>([
    ['a deadlock', serverError(1213), [DOOMED, 'kept', 'never', 'restart'], /'deadlock'/],
    [
      'a lost connection',
      codeError('ECONNRESET'),
      [DOOMED, 'lost', 'never', 'restart'],
      /'lost after/,
    ],
    ["the caller's fault", serverError(1062), [DOOMED, 'kept', 'never', 'never'], /'rejected by/],
    [
      'an error nobody knows',
      new Error('x'),
      [DOOMED, 'none', 'never', 'never'],
      /'not recognised'/,
    ],
    ['an answer nobody knows', serverError(1), [DOOMED, 'kept', 'never', 'never'], /'rejected by/],
    ['what is no error', 'text', [DOOMED, 'none', 'never', 'never'], /'not recognised'/],
    [
      'an implicit commit',
      new errors.ImplicitCommitError('x'),
      [DOOMED, 'kept', 'never', 'never'],
      /'implicit commit'/,
    ],
    [
      'another doomed one',
      doomed(serverError(1205)),
      [DOOMED, 'kept', 'never', 'restart'],
      /'lock wait'/,
    ],
  ])('TransactionDoomedError by %s is what that makes of it', (_case, cause, essence, says) => {
    expect(essenceOf(doomed(cause))).toEqual(essence);
    expect(essenceOf(new Error('x', { cause: doomed(cause) }))).toEqual(essence);
    expect(explain(doomed(cause)).says).toMatch(says);
    expect(explain(doomed(cause)).advice).toMatch(/^Let the error leave the outermost atomic\(\)/);
  });

  it('TransactionDoomedError says not to run the transaction again where that would not mend it', () => {
    expect(explain(doomed(serverError(1062))).advice).toMatch(/nor the transaction again as it is/);
    expect(explain(doomed(serverError(1213))).advice).toMatch(/run that again as a whole/);
  });

  it('TransactionDoomedError may be its own cause', () => {
    const error = doomed(new Error('x'));
    error.cause = error;
    expect(explain(error).transaction).toBe('never');
  });

  it.each(FAMILY_TABLE)('$code: sentences, not fragments', ({ says, advice }) => {
    expect(says).toMatch(/^[A-Z][^.]+\.$/);
    expect(advice).toMatch(/^[A-Z].+\.$/);
  });
});
