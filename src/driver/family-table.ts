import type { Outcome } from '../errors';
import type { Facts } from './explanation';

/** What an error of this library's own means. */
export interface FamilyRow extends Facts {
  /** The `code` of the error's class. */
  readonly code: string;
  /** Only where the error bears this `outcome`. */
  readonly outcome?: Outcome;
}

/** Nothing was sent, and the call itself has to be changed. */
const WRONG_CALL = { connection: 'none', statement: 'never', transaction: 'never' } as const;

const DOOMED_ADVICE =
  'Let the error leave the outermost atomic() and run that again as a whole; do not run a single ' +
  'statement of it again.';

const INSIDE = 'inside a transaction let the error leave the outermost atomic()';

/** A statement that was cut off at its own limit or by its caller. */
function cutOff(code: string, name: string, why: string): FamilyRow[] {
  const row = { code, name, transaction: 'never' } as const;
  return [
    {
      ...row,
      outcome: 'notExecuted',
      says: `The statement ${why} before it was carried out; it had no effect.`,
      connection: 'kept',
      statement: 'safe',
      advice: `A statement outside a transaction may be run again; ${INSIDE}, and do not simply run that again.`,
    },
    {
      ...row,
      outcome: 'executed',
      says: `The statement ${why}, but the server had already carried it out.`,
      connection: 'kept',
      statement: 'never',
      advice: `Do not run a statement outside a transaction again, because it has happened; ${INSIDE}, which takes it back.`,
    },
    {
      ...row,
      says: `The statement ${why}, and whether the server carried it out is not known.`,
      connection: 'lost',
      statement: 'ifIdempotent',
      advice: `Run a statement outside a transaction again only if twice is the same as once, else look for its effect first; ${INSIDE}, and do not simply run that again.`,
    },
  ];
}

/** The errors of this library, by code; the first row that fits counts. */
export const FAMILY_TABLE: readonly FamilyRow[] = [
  {
    ...WRONG_CALL,
    code: 'ERR_CONFIGURATION',
    name: 'wrong option',
    says: 'An option of the database does not exist or has a wrong value.',
    advice: 'Correct the option that the error names.',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_INVALID_ARGUMENT',
    name: 'wrong argument',
    says: 'An argument of the call is wrong, and nothing was sent to the server.',
    advice: 'Correct the argument that the error names.',
  },
  {
    code: 'ERR_POOL_EXHAUSTED',
    name: 'pool exhausted',
    says: 'No connection was to be had in time, and nothing was sent to the server.',
    connection: 'none',
    statement: 'safe',
    transaction: 'restart',
    advice:
      'Statement and transaction may be run again, after a pause; if that happens often, look for ' +
      'connections that are not given back, raise connectionLimit, and see whether the server can be reached.',
  },
  {
    code: 'ERR_POOL_CLOSED',
    name: 'database ended',
    says: 'The database was ended and takes no more work; what was still running at its deadline was cut off.',
    connection: 'none',
    statement: 'never',
    transaction: 'never',
    advice:
      'Run nothing more on this database object; look for the effect of a statement that was ' +
      'running, because it may have been carried out.',
  },
  {
    code: 'ERR_LEASE_RELEASED',
    name: 'connection given back',
    says: 'The connection was given back or destroyed by its borrower, and was used after that or at that moment.',
    connection: 'none',
    statement: 'never',
    transaction: 'never',
    advice:
      'Take another connection with getConnection(); where destroy() cut a running statement off, ' +
      'look for its effect first, because it may have been carried out.',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_TRANSACTION_OPEN',
    name: 'transaction open',
    says: 'The call cannot be made while a transaction is open; nothing happened.',
    connection: 'kept',
    advice: 'End the open transaction before the call, or make the call outside of it.',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_TRANSACTION_CLOSED',
    name: 'transaction closed',
    says: 'The call came after its transaction block was over; it was not carried out.',
    advice:
      'Await within the block whatever it starts, or start under db.withoutScope(fn) what shall ' +
      'outlive it.',
  },
  {
    code: 'ERR_TRANSACTION_DOOMED',
    name: 'transaction doomed',
    says: 'The transaction can only be rolled back, and nothing more is run in it.',
    connection: 'none',
    statement: 'never',
    transaction: 'restart',
    advice: DOOMED_ADVICE,
  },
  {
    code: 'ERR_IMPLICIT_COMMIT',
    name: 'implicit commit',
    says: 'A statement ended the transaction on the server, and what came before it is committed, or was rolled back by a procedure.',
    connection: 'kept',
    statement: 'never',
    transaction: 'never',
    advice:
      'Run neither the statement nor the transaction again before you have looked into the tables; ' +
      'run such statements (DDL, LOCK TABLES) outside atomic().',
  },
  {
    code: 'ERR_COMMIT_IN_DOUBT',
    name: 'commit in doubt',
    says: 'COMMIT was sent and its answer did not come: the transaction may be committed or not.',
    connection: 'lost',
    statement: 'never',
    transaction: 'never',
    advice:
      'Look for the effects of the transaction in the tables; run it again only if they are not there.',
  },
  {
    code: 'ERR_TURN_TIMEOUT',
    name: 'turn timeout',
    says: 'A nested block kept the connection for too long, and the statement behind it was not sent.',
    connection: 'kept',
    statement: 'safe',
    transaction: 'restart',
    advice:
      'A statement outside a transaction may be run again, and so may a transaction as a whole, from ' +
      'the outermost atomic(); but do not await inside a nested block what has to wait for its end.',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_TRANSACTION_CONTROL',
    name: 'transaction control as text',
    says: 'A statement that begins or ends transactions was not sent, because atomic() does that.',
    advice: 'Use atomic(), or a connection of your own from getConnection().',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_FRAME_MISMATCH',
    name: 'generator in another transaction',
    says: 'A generator that was begun in one transaction was continued in another; it was not run on.',
    advice: 'Begin a generator and read it to its end inside the same transaction block.',
  },
  ...cutOff('ERR_STATEMENT_TIMEOUT', 'statement timeout', 'reached its time limit'),
  ...cutOff('ERR_STATEMENT_ABORTED', 'statement aborted', 'was aborted by its caller'),
  {
    code: 'ERR_TRANSACTION_TIMEOUT',
    name: 'transaction timeout',
    says: 'The transaction reached its own time limit before COMMIT was sent, and is rolled back.',
    connection: 'none',
    statement: 'never',
    transaction: 'restart',
    advice:
      'Do not run a single statement of it again; the transaction may be run again as a whole, from ' +
      'the outermost atomic(), best with less to do or a longer limit.',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_NO_TRANSACTION',
    name: 'no transaction',
    says: 'The call only makes sense inside a transaction block, and nothing was sent.',
    advice: 'Make the call inside db.atomic().',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_SCHEMA',
    name: 'table missing',
    says: 'A table of the library is missing or of another version.',
    advice: 'Run install(db) once, or the statements of installSql() in a migration.',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_UNSAFE_TOPOLOGY',
    name: 'unsafe topology',
    says: 'The server or cluster cannot keep what this mode promises, and nothing was sent.',
    advice: 'Use the mode that the error names.',
  },
  {
    code: 'ERR_LOCK_ACQUIRE_TIMEOUT',
    name: 'lock not acquired',
    says: 'A lock was not to be had in time; somebody else has it.',
    connection: 'none',
    statement: 'safe',
    transaction: 'never',
    advice: 'Try again later; list() and holder() tell who has the lock.',
  },
  {
    code: 'ERR_LOCK_LOST',
    name: 'lock lost',
    says: 'A lock is lost, and somebody else may have it by now.',
    connection: 'none',
    statement: 'never',
    transaction: 'never',
    advice: 'Stop what was done under the lock, and acquire it again before you begin anew.',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_WRONG_TYPE',
    name: 'wrong type',
    says: 'The key holds another kind of value than the command works on, and nothing was changed.',
    advice: 'Use the commands of the kind that the key holds, or delete it first.',
  },
  {
    code: 'ERR_FACTORY_TIMEOUT',
    name: 'factory timeout',
    says: "The function that makes a cache's value, or a tenant's database, did not settle in time.",
    connection: 'none',
    statement: 'safe',
    transaction: 'restart',
    advice:
      'Try again later, or raise hardTimeout or factoryTimeout; what the function returns in the end ' +
      'is not kept.',
  },
  {
    code: 'ERR_CLAIM_LOST',
    name: 'claim lost',
    says: "A message is no longer this consumer's, and somebody else may have it by now.",
    connection: 'none',
    statement: 'never',
    transaction: 'never',
    advice:
      'Let the error leave atomic(), so that what was done for the message is rolled back; raise ' +
      'visibilityTimeout, or call extend() where the work takes long.',
  },
  {
    code: 'ERR_STREAM_OPEN',
    name: 'stream open',
    says: 'A stream of this transaction is still being read, so the statement was not sent.',
    connection: 'kept',
    statement: 'safe',
    transaction: 'never',
    advice:
      'Read the stream to its end or leave it, then run the statement again; running the transaction ' +
      'again without that change would end here again.',
  },
  {
    ...WRONG_CALL,
    code: 'ERR_BOOMERANG',
    name: 'error of mysql-boomerang',
    says: 'The library did not carry out the call.',
    advice: 'Read the text of the error: it says what happened and what to do.',
  },
];

/** A transaction that cannot go on is what the error that doomed it makes of it. */
export function doomedBy(reason: Facts): Facts {
  const restart = reason.transaction === 'restart';
  return {
    name: 'transaction doomed',
    says: `The transaction cannot go on after '${reason.name}', and nothing more is run in it.`,
    connection: reason.connection,
    statement: 'never',
    transaction: reason.transaction,
    advice: restart
      ? DOOMED_ADVICE
      : `Let the error leave the outermost atomic(). ${reason.advice}`,
  };
}
