import { planInsert } from '../../src/driver/bulk-insert';
import { positional } from '../../src/driver/named-placeholders';
import { sql } from '../../src/driver/sql-tag';
import type { RetryingPooledDatabase } from '../../src/index';
import { onEachServer } from '../support/servers';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  beforeEach(() => {
    db = bench.open({ connectionLimit: 1 });
  });

  describe.each(['query', 'execute'] as const)('with %s', (kind) => {
    it('a template puts its values where the server takes them', async () => {
      const condition = sql`'it''s ?' = ${"it's ?"} -- a condition's end?`;
      const list = sql.join(['a', "b'`\\"]);
      const statement = sql`
        SELECT /* isn't ? */ ${"x' -- "} AS \`a?\`, -- it's ?
          ${condition} AS ${sql.identifier('b.`c')}, ${"b'`\\"} IN (${list}) AS d, 5 -${-7} AS e`;
      const [rows] = await db[kind](statement);
      expect(rows).toEqual([{ 'a?': "x' -- ", 'b.`c': 1, d: 1, e: 12 }]);
    });

    it('bytes stay bytes, whichever array they are in', async () => {
      const [rows] = await db[kind](sql`SELECT HEX(${new Uint8Array([1, 255])}) AS a`);
      expect(rows).toEqual([{ a: '01FF' }]);
    });

    it('names become values where the server takes them', async () => {
      const text = "SELECT :b AS `:b`, ':b' AS c, /* isn't :b */ @x:=:n AS d, :b AS e -- it's :b";
      const { sql: statement, values } = positional(text, { b: "it's", n: 'x' });
      const [rows] = await db[kind](statement, values);
      expect(rows).toEqual([{ ':b': "it's", c: ':b', d: 'x', e: "it's" }]);
    });
  });

  describe('planned inserts', () => {
    const escape = (value: unknown): string => db.escape(value);
    const table = 'planned';
    const insert = async (
      rows: object[],
      onDuplicate?: Parameters<typeof planInsert>[0]['onDuplicate'],
    ): Promise<[affected: number, warnings: number]> => {
      const [statement = ''] = planInsert({ table, rows, escape, maxBytes: 1e6, onDuplicate });
      const [{ affectedRows, warningStatus }] = await db.query<{
        affectedRows: number;
        warningStatus: number;
      }>(statement);
      return [affectedRows, warningStatus];
    };
    const content = async (): Promise<unknown> =>
      (await db.query({ sql: 'SELECT * FROM planned ORDER BY id', rowsAsArray: true }))[0];

    beforeEach(async () => {
      await db.query('DROP TABLE IF EXISTS planned');
      await db.query('CREATE TABLE planned (id INT PRIMARY KEY, a VARCHAR(5), b VARBINARY(9))');
      await insert([{ id: 1, a: 'old', b: Buffer.from([0, 39, 92]) }]);
    });
    afterEach(() => db.query('DROP TABLE planned'));

    it('bring texts and bytes into the table as they are', async () => {
      await insert([{ id: 2, a: "'\\\n😀?", b: Buffer.from([255, 0]) }]);
      expect(await content()).toEqual([
        [1, 'old', Buffer.from([0, 39, 92])],
        [2, "'\\\n😀?", Buffer.from([255, 0])],
      ]);
    });

    it('leave a duplicate as it is with ignore, count it as matched, and swallow no other error', async () => {
      const rows = [
        { id: 1, a: 'new' },
        { id: 2, a: 'new' },
      ];
      expect(await insert(rows, 'ignore')).toEqual([2, 0]);
      expect(await content()).toEqual([
        [1, 'old', Buffer.from([0, 39, 92])],
        [2, 'new', null],
      ]);
      await expect(insert([{ id: 3, a: 'too long' }], 'ignore')).rejects.toMatchObject({
        code: 'ER_DATA_TOO_LONG',
      });
      await expect(insert([{ id: 1, a: 'new' }])).rejects.toMatchObject({ code: 'ER_DUP_ENTRY' });
    });

    it('give a duplicate the new values with update', async () => {
      const rows = [{ id: 1, a: 'new', b: Buffer.from('n') }];
      const [affected, warnings] = await insert(rows, { update: ['a'] });
      expect(affected).toBe(2);
      // MySQL: VALUES() is deprecated, and still carried out.
      expect(warnings).toBe(bench.server.flavour === 'mysql' ? 1 : 0);
      expect(await content()).toEqual([[1, 'new', Buffer.from([0, 39, 92])]]);
      await insert(rows, 'update');
      expect(await content()).toEqual([[1, 'new', Buffer.from('n')]]);
    });
  });
});
