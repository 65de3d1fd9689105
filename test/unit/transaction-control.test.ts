import { controlOf } from '../../src/driver/transaction-control';

describe('controlOf', () => {
  test.each([
    ['begin', { verb: 'begin', mode: {} }],
    ['BEGIN WORK;', { verb: 'begin', mode: {} }],
    ['  /* tag */ Start\n Transaction -- now', { verb: 'begin', mode: {} }],
    ['start transaction read only', { verb: 'begin', mode: { readOnly: true } }],
    [
      'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE',
      { verb: 'begin', mode: { consistentSnapshot: true, readOnly: false } },
    ],
    [
      // As drizzle writes it, without the comma.
      'start transaction with consistent snapshot read only',
      { verb: 'begin', mode: { consistentSnapshot: true, readOnly: true } },
    ],
    [
      'set transaction isolation level repeatable read, read only',
      { verb: 'set', mode: { isolationLevel: 'REPEATABLE READ', readOnly: true } },
    ],
    ['commit', { verb: 'commit' }],
    ['COMMIT WORK', { verb: 'commit' }],
    ['rollback', { verb: 'rollback' }],
    ['savepoint sp1', { verb: 'savepoint', name: 'sp1' }],
    ['SAVEPOINT `A ``b` ', { verb: 'savepoint', name: 'a `b' }],
    ['rollback to `sp1`', { verb: 'rollbackTo', name: 'sp1' }],
    ['ROLLBACK WORK TO SAVEPOINT sp1', { verb: 'rollbackTo', name: 'sp1' }],
    ['release savepoint SP1', { verb: 'release', name: 'sp1' }],
  ])('reads %s', (text, control) => {
    expect(controlOf(text)).toEqual(control);
  });

  test.each([
    ['a chained end', 'COMMIT AND CHAIN'],
    ['an end that releases', 'ROLLBACK RELEASE'],
    ['XA', "XA START 'x'"],
    ['autocommit', 'SET autocommit = 0'],
    ['one that only some servers run', '/*!40101 COMMIT */'],
    ['a characteristic that nobody knows', 'START TRANSACTION READ TWICE'],
    ['a name that could be any', 'SAVEPOINT 1a'],
    ['a setting around it', 'SET STATEMENT max_statement_time = 1 FOR COMMIT'],
    ['a compound statement', 'BEGIN NOT ATOMIC SELECT 1; END'],
  ])('takes %s for control that it cannot tell', (_, text) => {
    expect(controlOf(text)).toEqual({ verb: 'unknown' });
  });

  test.each([
    ['a statement', 'SELECT 1'],
    ['a text in a literal', "SELECT 'x', 'begin'"],
    ['a comment', '/* commit */ UPDATE t SET a = 1'],
    ['a session setting', 'SET SESSION TRANSACTION READ ONLY'],
    ['a setting of no transaction', 'SET @transaction = 1'],
    ['what the server will refuse', 'SET TRANSACTION SLOWLY'],
    ['DDL', 'CREATE TABLE savepoint_a (id INT)'],
  ])('takes %s for no control', (_, text) => {
    expect(controlOf(text)).toBeUndefined();
  });
});
