import { inspect } from 'node:util';
import * as errors from '../../src/errors';

type Errors = typeof errors;
type Family = keyof {
  [Name in keyof Errors as Errors[Name] extends typeof errors.BoomerangError ? Name : never]: 1;
};

/** Another copy of the module, as an ESM and a CommonJS build in one process would be. */
function copy(): Errors {
  let other: Errors | undefined;
  jest.isolateModules(() => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    other = require('../../src/errors') as Errors;
  });
  return other!;
}

const numbers = { total: 1, active: 1, idle: 0, waiting: 2 };

function make(from: Errors): Record<string, Error> {
  return {
    ConfigurationError: new from.ConfigurationError('port', 'must be a number'),
    InvalidArgumentError: new from.InvalidArgumentError('values', 'must be an array'),
    PoolExhaustedError: new from.PoolExhaustedError('text', numbers),
    PoolClosedError: new from.PoolClosedError('text'),
    LeaseReleasedError: new from.LeaseReleasedError('text'),
    TransactionOpenError: new from.TransactionOpenError('text'),
    TransactionClosedError: new from.TransactionClosedError('text'),
    TransactionDoomedError: new from.TransactionDoomedError('text'),
    ImplicitCommitError: new from.ImplicitCommitError('text'),
    CommitInDoubtError: new from.CommitInDoubtError('text'),
    StatementTimeoutError: new from.StatementTimeoutError('text', 'unknown'),
    StatementAbortedError: new from.StatementAbortedError('text', 'unknown'),
    TransactionTimeoutError: new from.TransactionTimeoutError('text'),
    StreamOpenError: new from.StreamOpenError('text'),
    NoTransactionError: new from.NoTransactionError('text'),
    SchemaError: new from.SchemaError('text'),
    UnsafeTopologyError: new from.UnsafeTopologyError('text'),
    LockAcquireTimeoutError: new from.LockAcquireTimeoutError('text'),
    LockLostError: new from.LockLostError('text'),
    WrongTypeError: new from.WrongTypeError('text'),
    FactoryTimeoutError: new from.FactoryTimeoutError('text'),
    ClaimLostError: new from.ClaimLostError('text'),
    TurnTimeoutError: new from.TurnTimeoutError('text'),
    TransactionControlError: new from.TransactionControlError('text'),
    FrameMismatchError: new from.FrameMismatchError('text'),
  };
}

const CODES: Readonly<Record<string, [code: string, retryable: boolean]>> = {
  ConfigurationError: ['ERR_CONFIGURATION', false],
  InvalidArgumentError: ['ERR_INVALID_ARGUMENT', false],
  PoolExhaustedError: ['ERR_POOL_EXHAUSTED', true],
  PoolClosedError: ['ERR_POOL_CLOSED', false],
  LeaseReleasedError: ['ERR_LEASE_RELEASED', false],
  TransactionOpenError: ['ERR_TRANSACTION_OPEN', false],
  TransactionClosedError: ['ERR_TRANSACTION_CLOSED', false],
  TransactionDoomedError: ['ERR_TRANSACTION_DOOMED', true],
  ImplicitCommitError: ['ERR_IMPLICIT_COMMIT', false],
  CommitInDoubtError: ['ERR_COMMIT_IN_DOUBT', false],
  StatementTimeoutError: ['ERR_STATEMENT_TIMEOUT', false],
  StatementAbortedError: ['ERR_STATEMENT_ABORTED', false],
  TransactionTimeoutError: ['ERR_TRANSACTION_TIMEOUT', true],
  StreamOpenError: ['ERR_STREAM_OPEN', false],
  NoTransactionError: ['ERR_NO_TRANSACTION', false],
  SchemaError: ['ERR_SCHEMA', false],
  UnsafeTopologyError: ['ERR_UNSAFE_TOPOLOGY', false],
  LockAcquireTimeoutError: ['ERR_LOCK_ACQUIRE_TIMEOUT', true],
  LockLostError: ['ERR_LOCK_LOST', false],
  WrongTypeError: ['ERR_WRONG_TYPE', false],
  FactoryTimeoutError: ['ERR_FACTORY_TIMEOUT', true],
  ClaimLostError: ['ERR_CLAIM_LOST', false],
  TurnTimeoutError: ['ERR_TURN_TIMEOUT', true],
  TransactionControlError: ['ERR_TRANSACTION_CONTROL', false],
  FrameMismatchError: ['ERR_FRAME_MISMATCH', false],
};

const names = Object.keys(CODES) as Family[];

describe('each error of the family', () => {
  it('is in this list', () => {
    const exported = Object.entries(errors)
      .filter(([, value]) => typeof value === 'function' && 'code' in value)
      .map(([name]) => name);
    expect(exported.sort()).toEqual(['BoomerangError', ...names].sort());
  });

  it.each(names)('%s bears its name, code and retryable', (name) => {
    const error = make(errors)[name] as errors.BoomerangError;
    expect([error.name, error.code, error.retryable]).toEqual([name, ...CODES[name]!]);
    expect(inspect(error)).toContain(name);
  });

  it.each(names)('%s is itself, a BoomerangError, an Error, and nothing else', (name) => {
    const error = make(errors)[name];
    expect(error instanceof errors.BoomerangError).toBe(true);
    expect(error instanceof Error).toBe(true);
    const fits = names.filter((other) => error instanceof errors[other]);
    expect(fits).toEqual([name]);
  });

  it.each(names)('%s of another copy of the package is the same, both ways', (name) => {
    const other = copy();
    expect(other[name]).not.toBe(errors[name]);
    const [ours, theirs] = [make(errors)[name], make(other)[name]];
    expect(theirs instanceof errors[name]).toBe(true);
    expect(ours instanceof other[name]).toBe(true);
    expect(theirs instanceof errors.BoomerangError).toBe(true);
    expect(names.filter((one) => theirs instanceof errors[one])).toEqual([name]);
  });

  it('keeps a cause where one is given, and has none otherwise', () => {
    const cause = new Error('first');
    expect(new errors.PoolClosedError('text', { cause }).cause).toBe(cause);
    expect('cause' in new errors.PoolClosedError('text')).toBe(false);
    expect(new errors.PoolExhaustedError('text', numbers).pool).toEqual(numbers);
  });
});

describe("a user's subclass", () => {
  class Busy extends errors.PoolExhaustedError {}
  class Coded extends errors.PoolExhaustedError {
    static override readonly code = 'ERR_MINE';
  }

  it('is what it extends, and no instance of what it extends is one', () => {
    const busy = new Busy('text', numbers);
    expect(busy instanceof Busy).toBe(true);
    expect(busy instanceof errors.PoolExhaustedError).toBe(true);
    expect(busy instanceof errors.BoomerangError).toBe(true);
    expect(new errors.PoolExhaustedError('text', numbers) instanceof Busy).toBe(false);
    expect([busy.name, busy.code]).toEqual(['Busy', 'ERR_POOL_EXHAUSTED']);
  });

  it('may bear a code of its own', () => {
    const coded = new Coded('text', numbers);
    expect(coded.code).toBe('ERR_MINE');
    expect([coded instanceof Coded, coded instanceof errors.PoolExhaustedError]).toEqual([
      true,
      true,
    ]);
    expect(new Busy('text', numbers) instanceof Coded).toBe(false);
  });

  it('is what it extends for another copy of the package too', () => {
    expect(new Busy('text', numbers) instanceof copy().PoolExhaustedError).toBe(true);
  });
});

it.each([null, undefined, 'text', 5, {}, new Error('other'), { code: 'ERR_POOL_CLOSED' }])(
  '%p is no error of the family',
  (value) => {
    expect(value instanceof errors.BoomerangError).toBe(false);
    expect(value instanceof errors.PoolClosedError).toBe(false);
  },
);

describe('describe()', () => {
  it.each([
    [null, 'null'],
    [undefined, 'undefined'],
    ['secret', 'a string of 6 characters'],
    [Buffer.from('secret'), 'a Buffer of 6 bytes'],
    [['secret'], 'an array of 1'],
    [{ secret: 1 }, 'an object (Object)'],
    [Object.create(null), 'an object (no prototype)'],
    [new Date(0), 'an object (Date)'],
    [5, 'the number 5'],
    [NaN, 'the number NaN'],
    [false, 'the boolean false'],
    [() => 'secret', 'a function'],
    [Symbol('secret'), 'a symbol'],
    [10n, 'a bigint'],
  ])('tells kind and size of %p and no content', (value, text) => {
    expect(errors.describe(value)).toBe(text);
  });
});
