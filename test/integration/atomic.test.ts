import { setTimeout as delay } from 'node:timers/promises';
import {
  TransactionClosedError,
  TurnTimeoutError,
  connectionScope,
  releaseConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { notesIn, onEachServer, session } from '../support/servers';
import { deferred, failure } from '../support/until';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  beforeEach(() => {
    db = bench.open({ connectionLimit: 2 });
  });

  const insert = (id: number): Promise<unknown> =>
    db.execute('INSERT INTO notes VALUES (?, ?)', [id, 'x']);

  describe('one level', () => {
    it('commits what the callback wrote, on one connection, and resolves to its result', async () => {
      const result = await db.atomic(async (tx) => {
        await tx.execute('INSERT INTO notes VALUES (?, ?)', [1, 'a']);
        await insert(2);
        return 'done';
      });
      expect(result).toBe('done');
      expect(await notesIn(bench)).toEqual([1, 2]);
      expect(db.stats()).toMatchObject({ acquired: 1, active: 0 });
    });

    it('rolls back on a throw, and the first error reaches the caller', async () => {
      const own = new Error('own');
      const error = await failure(
        db.atomic(async () => {
          await insert(1);
          throw own;
        }),
      );
      expect(error).toBe(own);
      expect(await notesIn(bench)).toEqual([]);
    });

    it('sends neither BEGIN nor COMMIT and takes no connection where no statement ran', async () => {
      let committed = false;
      await db.atomic(async (tx) => {
        await db.atomic(async () => delay(1));
        tx.afterCommit(() => {
          committed = true;
        });
      });
      expect(db.stats()).toMatchObject({ acquired: 0, created: 0 });
      expect(committed).toBe(true);
    });

    it('a decorated method called inside somebody’s atomic takes part in it', async () => {
      class Notes {
        @releaseConnection
        async add(id: number): Promise<void> {
          await this._add(id);
        }
        async _add(id: number): Promise<void> {
          await insert(id);
        }
      }
      const notes = new Notes();
      await failure(
        db.atomic(async () => {
          await notes.add(1);
          await notes._add(2);
          expect(db.stats().active).toBe(1);
          throw new Error('undo');
        }),
      );
      expect(await notesIn(bench)).toEqual([]);
      await db.atomic(async () => {
        await notes.add(1);
        await notes._add(2);
      });
      expect(await notesIn(bench)).toEqual([1, 2]);
    });

    it('other statements of the scope wait until the transaction is over', async () => {
      await connectionScope(async () => {
        const entered = deferred();
        const block = db.atomic(async () => {
          await insert(1);
          entered.resolve();
          await delay(30);
          await insert(2);
        });
        await entered.promise;
        const [rows] = await db.query<{ n: number }[]>('SELECT COUNT(*) AS n FROM notes');
        expect(rows[0]?.n).toBe(2);
        await block;
      });
    });

    it('withoutScope runs on another connection, in autocommit', async () => {
      await failure(
        db.atomic(async () => {
          const inside = await session(db);
          await db.withoutScope(async () => {
            expect(await session(db)).not.toBe(inside);
            await insert(7);
          });
          throw new Error('undo');
        }),
      );
      expect(await notesIn(bench)).toEqual([7]);
    });
  });

  describe('savepoints', () => {
    it('a nested block that fails is undone alone', async () => {
      await db.atomic(async () => {
        await insert(1);
        await failure(
          db.atomic(async () => {
            await insert(2);
            throw new Error('inner');
          }),
        );
        await insert(3);
      });
      expect(await notesIn(bench)).toEqual([1, 3]);
    });

    it('siblings in parallel queue, each with a savepoint of its own', async () => {
      await db.atomic(() =>
        Promise.allSettled(
          [1, 2, 3, 4].map((id) =>
            db.atomic(async () => {
              await insert(id);
              await delay(5);
              if (id % 2 === 0) throw new Error('even');
            }),
          ),
        ),
      );
      expect(await notesIn(bench)).toEqual([1, 3]);
    });

    it('a name is used once per transaction: an inner failure after an outer sibling undoes no more than its own', async () => {
      await db.atomic(async () => {
        await db.atomic(() => insert(1));
        await failure(
          db.atomic(async () => {
            await db.atomic(() => insert(2));
            await insert(3);
            throw new Error('undo 2 and 3');
          }),
        );
        await db.atomic(() => insert(4));
      });
      expect(await notesIn(bench)).toEqual([1, 4]);
    });

    it('an outer failure undoes what inner blocks released', async () => {
      await failure(
        db.atomic(async () => {
          await db.atomic(() => insert(1));
          throw new Error('outer');
        }),
      );
      expect(await notesIn(bench)).toEqual([]);
    });

    it('an outer statement awaited in a nested block ends with TurnTimeoutError, never a hang', async () => {
      const impatient = await bench.connected({ acquireTimeout: 400 });
      const error = await failure(
        impatient.atomic(async (outer) => {
          await outer.query('DO 0');
          await impatient.atomic(async () => {
            await outer.query('DO 0');
          });
        }),
      );
      expect(error).toBeInstanceOf(TurnTimeoutError);
    });
  });

  describe('leaving', () => {
    it('a block that succeeded waits for its running statements, then commits', async () => {
      await db.atomic(async () => {
        await insert(1);
        void db.query('INSERT INTO notes SELECT 2, SLEEP(0.05)');
      });
      expect(await notesIn(bench)).toEqual([1, 2]);
    });

    it('a block that succeeded waits for nested blocks already open', async () => {
      await db.atomic(async () => {
        void db.atomic(async () => {
          await insert(1);
          await delay(20);
          await insert(2);
        });
        await delay(1);
      });
      expect(await notesIn(bench)).toEqual([1, 2]);
    });

    it('Promise.all whose first branch fails: no sibling writes after ROLLBACK', async () => {
      const over = deferred();
      let late: Promise<Error>[] = [];
      const sibling = async (): Promise<void> => {
        await over.promise;
        late = [failure(insert(2)), failure(insert(3))];
      };
      let second: Promise<void> | undefined;
      const error = await failure(
        db.atomic(() =>
          Promise.all([
            insert(1).then(() => Promise.reject(new Error('first'))),
            (second = sibling()),
          ]),
        ),
      );
      expect(error.message).toBe('first');
      over.resolve();
      await second;
      for (const reason of await Promise.all(late)) {
        expect(reason).toBeInstanceOf(TransactionClosedError);
      }
      expect(late).toHaveLength(2);
      expect(await notesIn(bench)).toEqual([]);
    });

    it('late work of a finished block is refused, and the text names withoutScope', async () => {
      const late = deferred<unknown>();
      await db.atomic(async () => {
        await insert(1);
        setTimeout(() => insert(2).catch(late.resolve), 20);
      });
      const error = await late.promise;
      expect(error).toBeInstanceOf(TransactionClosedError);
      expect((error as Error).message).toContain('db.withoutScope(fn)');
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('a fire-and-forget decorated call of several statements does not outlive its transaction', async () => {
      const go = deferred();
      const late = deferred<unknown>();
      await db.atomic(async () => {
        void connectionScope(async () => {
          await insert(1);
          await go.promise;
          await insert(2);
        }).catch(late.resolve);
        await db.query('DO 0');
      });
      go.resolve();
      expect(await late.promise).toBeInstanceOf(TransactionClosedError);
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('a timer made under withoutScope inside a transaction works after it', async () => {
      const fired = deferred<unknown>();
      await db.atomic(async () => {
        await insert(1);
        db.withoutScope(() => setTimeout(() => insert(2).then(fired.resolve, fired.reject), 20));
      });
      await fired.promise;
      expect(await notesIn(bench)).toEqual([1, 2]);
    });
  });
});
