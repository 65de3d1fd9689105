import { CommitInDoubtError } from '../../src/errors';
import { breaks, codeError, never, serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection } from '../support/fixture';

afterEach(endAll);

/** A block whose COMMIT goes wrong; its error, and which hooks ran. */
async function failedCommit(db: FakeDatabase): Promise<{ error: any; hooks: string[] }> {
  const hooks: string[] = [];
  const error: unknown = await rejection(
    db.atomic(async (tx) => {
      tx.afterCommit(() => hooks.push('afterCommit'));
      tx.afterRollback(() => hooks.push('afterRollback'));
      await tx.query('A');
    }),
  );
  return { error, hooks };
}

describe('a COMMIT whose answer does not come', () => {
  it('is in doubt: nothing is repeated, the connection is closed, no hook runs', async () => {
    const db = new FakeDatabase();
    const cause = codeError('ECONNRESET');
    db.driver.on(/^COMMIT/, breaks(cause));
    const { error, hooks } = await failedCommit(db);
    expect(error).toBeInstanceOf(CommitInDoubtError);
    expect(error).toMatchObject({ cause, outcome: 'unknown', retryable: false });
    expect([hooks, db.driver.work, db.numbers]).toEqual([
      [],
      ['1 BEGIN', '1 A', '1 COMMIT'],
      [0, 0, 0, 0],
    ]);
  });

  it.each([
    1180, 1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 1969, 3032, 3168, 3169,
  ])('is in doubt also where the server says %d', async (errno) => {
    const db = new FakeDatabase();
    db.driver.on(/^COMMIT/, { error: serverError(errno) });
    const { error, hooks } = await failedCommit(db);
    expect(error).toBeInstanceOf(CommitInDoubtError);
    expect([hooks, db.driver.open]).toEqual([[], 0]);
  });

  it('is in doubt where end() closes the connection under it', async () => {
    const db = new FakeDatabase();
    db.driver.on(/^COMMIT/, { until: never });
    const block = failedCommit(db);
    await db.clock.advance(1);
    const end = db.pool.end(100);
    await db.clock.advance(100);
    expect((await block).error).toBeInstanceOf(CommitInDoubtError);
    await end;
  });

  it('is in doubt where the borrower destroys the connection under it', async () => {
    const db = new FakeDatabase();
    db.driver.on(/^COMMIT/, { until: never });
    const connection = await db.getConnection();
    const block = rejection(connection.atomic((tx) => tx.query('INSERT')));
    await db.clock.advance(1);
    connection.destroy();
    expect(await block).toBeInstanceOf(CommitInDoubtError);
  });
});

describe('a COMMIT that certainly did not happen', () => {
  it.each([
    ['was never sent', { ...breaks(codeError('EPIPE')), unsent: true }, 'EPIPE'],
    ['was refused', { error: serverError(1213) }, 'ER_1213'],
    ['was refused by the cluster', { error: serverError(3101) }, 'ER_3101'],
    ['was refused for a reason nobody knows', { error: serverError(3100) }, 'ER_3100'],
  ])('rejects with the driver’s error: it %s', async (_why, reply, code) => {
    const db = new FakeDatabase();
    db.driver.on(/^COMMIT/, reply);
    const { error, hooks } = await failedCommit(db);
    expect(error).not.toBeInstanceOf(CommitInDoubtError);
    expect([error.code, hooks, db.driver.open]).toEqual([code, ['afterRollback'], 0]);
  });

  it('rejects so where the connection was lost before', async () => {
    const db = new FakeDatabase();
    const error = await rejection(
      db.atomic(async (tx) => {
        await tx.query('A');
        db.driver.latest.lose(codeError('ECONNRESET'));
      }),
    );
    expect(error).not.toBeInstanceOf(CommitInDoubtError);
    expect(error.message).toMatch(/closed state/);
    expect(db.driver.work).toEqual(['1 BEGIN', '1 A']);
  });
});
