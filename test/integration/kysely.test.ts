import { CompiledQuery, Kysely, MysqlDialect, sql } from 'kysely';
import { mysql2Pool } from '../../src/adapters/mysql2';
import {
  InvalidArgumentError,
  releaseConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { add, kyselyOver, type Tables } from '../support/kysely';
import { notesIn, onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  let kysely: Kysely<Tables>;

  beforeAll(async () => {
    await bench.sql(
      `CREATE TABLE ${bench.schema}.numbered (id INT AUTO_INCREMENT PRIMARY KEY, amount FLOAT NOT NULL)`,
    );
  });

  beforeEach(() => {
    db = bench.open({ connectionLimit: 3 });
    kysely = kyselyOver(db);
  });

  const idle = (): Promise<void> => until('all are back', () => db.stats().active === 0);

  describe('statements', () => {
    it('gives rows, insert ids and counts in the forms Kysely knows', async () => {
      const inserted = await kysely
        .insertInto('numbered')
        .values([{ amount: 1 }, { amount: 2 }])
        .executeTakeFirstOrThrow();
      expect(inserted.insertId).toBe(1n);
      expect(inserted.numInsertedOrUpdatedRows).toBe(2n);
      const updated = await kysely.updateTable('numbered').set({ amount: 2 }).executeTakeFirst();
      expect(updated).toMatchObject({ numUpdatedRows: 2n, numChangedRows: 1n });
      const rows = await kysely
        .selectFrom('numbered')
        .selectAll()
        .where('id', 'in', [1, 2])
        .execute();
      expect(rows).toEqual([
        { id: 1, amount: 2 },
        { id: 2, amount: 2 },
      ]);
      const deleted = await kysely.deleteFrom('numbered').executeTakeFirst();
      expect(deleted.numDeletedRows).toBe(2n);
      await idle();
    });

    it('an error of the server comes as it is, and the connection goes back', async () => {
      await add(kysely, 1);
      const error = await failure(add(kysely, 1));
      expect(error).toMatchObject({ code: 'ER_DUP_ENTRY', errno: 1062, sqlState: '23000' });
      await idle();
    });

    it('connection() keeps one session from its first statement to its last', async () => {
      const seen = await kysely.connection().execute(async (one) => {
        await sql`SET @seen = 7`.execute(one);
        return sql<{ seen: number }>`SELECT @seen AS seen`.execute(one);
      });
      expect(seen.rows).toEqual([{ seen: 7 }]);
      await idle();
      // Nobody else finds what was left in it.
      expect((await sql`SELECT @seen AS seen`.execute(kysely)).rows).toEqual([{ seen: null }]);
    });

    it('inside a decorated method each has a lease of its own, for itself alone', async () => {
      class Notes {
        @releaseConnection
        async add(): Promise<number> {
          await db.execute('INSERT INTO notes VALUES (1, NULL)');
          await add(kysely, 2);
          await idleButOne();
          await kysely.transaction().execute((trx) => add(trx, 3));
          await idleButOne();
          return db.stats().active;
        }
      }
      const idleButOne = (): Promise<void> => until('one is out', () => db.stats().active === 1);
      expect(await new Notes().add()).toBe(1);
      expect(await notesIn(bench)).toEqual([1, 2, 3]);
      await idle();
    });

    it('introspection and schema building work', async () => {
      await kysely.schema.createTable('made').addColumn('id', 'integer').execute();
      const tables = await kysely.introspection.getTables();
      expect(tables.map(({ name }) => name)).toContain('made');
      await kysely.schema.dropTable('made').execute();
    });
  });

  describe('stream()', () => {
    beforeEach(async () => {
      await db.bulkInsert(
        'notes',
        Array.from({ length: 2000 }, (_, id) => ({ id, text: 'x'.repeat(50) })),
      );
    });

    it('gives all rows as a query gives them, also with a bound LIMIT', async () => {
      const query = kysely
        .selectFrom('notes')
        .select(['id', sql<number>`CAST(0.1 AS FLOAT)`.as('tenth')])
        .orderBy('id')
        .limit(1500);
      const streamed: unknown[] = [];
      for await (const row of query.stream()) streamed.push(row);
      expect(streamed).toHaveLength(1500);
      expect(streamed).toEqual(await query.execute());
      await idle();
    });

    it('that is left in the middle gives its connection back', async () => {
      for await (const { id } of kysely.selectFrom('notes').select('id').stream()) {
        if (id === 10) break;
      }
      await idle();
      expect(await kysely.selectFrom('notes').select('id').limit(1).execute()).toHaveLength(1);
    });

    it('that fails, at once or in the middle, rejects with the server’s error', async () => {
      const read = async (text: string): Promise<void> => {
        const query = sql`SELECT ${sql.raw(text)} FROM notes ORDER BY id`;
        for await (const row of kysely.getExecutor().stream(query.compile(kysely), 1))
          expect(row).toBeDefined();
      };
      expect(await failure(read('missing'))).toMatchObject({ errno: 1054 });
      const late = '(SELECT n.id FROM notes n WHERE n.id <= notes.id - 1998)';
      expect(await failure(read(late))).toMatchObject({ errno: 1242 });
      await idle();
    });

    it('binds nothing into text that a session would take for something else', async () => {
      const strict = kyselyOver(bench.open({ initSql: "SET sql_mode = 'NO_BACKSLASH_ESCAPES'" }));
      await sql`SELECT 1`.execute(strict);
      const query = strict.selectFrom('notes').selectAll().where('text', '=', "'");
      const error = await failure(query.stream().next());
      expect(error).toBeInstanceOf(InvalidArgumentError);
    });

    it('inside a transaction reads what that has written', async () => {
      await kysely.transaction().execute(async (trx) => {
        await add(trx, 5000);
        const ids: number[] = [];
        const rows = trx.selectFrom('notes').select('id').where('id', '>=', 1999).orderBy('id');
        for await (const { id } of rows.stream()) ids.push(id);
        expect(ids).toEqual([1999, 5000]);
      });
    });
  });

  describe('destroy()', () => {
    it('ends the pool and leaves the database to whoever made it', async () => {
      await add(kysely, 1);
      await kysely.destroy();
      expect(await failure(add(kysely, 2))).toBeInstanceOf(Error);
      await db.execute('INSERT INTO notes VALUES (3, NULL)');
      expect(await notesIn(bench)).toEqual([1, 3]);
    });

    it('ends the database where that was said', async () => {
      const pool = mysql2Pool(db, { endsDatabase: true });
      const owning = new Kysely<Tables>({ dialect: new MysqlDialect({ pool }) });
      await owning.executeQuery(CompiledQuery.raw('SELECT 1'));
      await owning.destroy();
      expect(await failure(db.query('SELECT 1'))).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    });
  });
});
