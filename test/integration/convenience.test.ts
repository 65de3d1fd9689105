import { sql, InvalidArgumentError, type ResultHeader } from '../../src/index';
import { notesIn, onEachServer } from '../support/servers';
import { failure } from '../support/until';

onEachServer((bench) => {
  const rows = (count: number): { id: number; text: string }[] =>
    Array.from({ length: count }, (_, id) => ({ id, text: `note ${id} 😀 ' \\ "` }));

  it('values by name are bound, by query() and execute(), where that is switched on', async () => {
    const db = bench.open({ namedPlaceholders: true });
    const text = 'INSERT INTO notes VALUES (:id, :text)';
    await db.execute(text, { id: 1, text: "it's :id" });
    await db.query(text, { id: 2, text: '?' });
    await db.query('INSERT INTO notes VALUES (?, NULL)', [3]);
    const [found] = await db.query('SELECT * FROM notes WHERE id = :id OR id = :id + 1', { id: 1 });
    expect(found).toEqual([
      { id: 1, text: "it's :id" },
      { id: 2, text: '?' },
    ]);
    expect(await failure(db.query(text, { id: 4 }))).toBeInstanceOf(InvalidArgumentError);
    await db.atomic((tx) => tx.execute('DELETE FROM notes WHERE id = :id', { id: 3 }));
    const connection = await db.getConnection();
    await connection.execute('DELETE FROM notes WHERE id = :id', { id: 2 });
    await connection.release();
    expect(await notesIn(bench)).toEqual([1]);
  });

  it('values by name for one statement alone', async () => {
    const db = bench.open();
    const one = await db.queryOne('SELECT :a AS a', { a: 5 }, { namedPlaceholders: true });
    expect(one).toEqual({ a: 5 });
  });

  it('queryOne() and queryValue()', async () => {
    const db = bench.open();
    await db.bulkInsert('notes', rows(3));
    expect(await db.queryOne('SELECT * FROM notes WHERE id = ?', [1])).toEqual(rows(3)[1]);
    expect(await db.queryOne('SELECT * FROM notes WHERE id = ?', [9])).toBeUndefined();
    expect(await db.queryValue<number>('SELECT COUNT(*) FROM notes')).toBe(3);
    expect(await db.queryValue('SELECT text FROM notes WHERE id = ?', [9])).toBeUndefined();
    expect(await db.atomic((tx) => tx.queryValue('SELECT MAX(id) FROM notes'))).toBe(2);
    expect(await failure(db.queryOne('DELETE FROM notes'))).toBeInstanceOf(InvalidArgumentError);
  });

  it('sql`…` binds what is interpolated, whatever it contains', async () => {
    const db = bench.open();
    const evil = "'; DROP TABLE notes; -- ";
    await db.execute<ResultHeader>(sql`INSERT INTO notes VALUES (${1}, ${evil})`);
    const where = sql`WHERE id IN (${sql.join([1, 2, 3])}) AND text = ${evil}`;
    const table = sql.identifier('notes');
    for (const run of ['query', 'execute'] as const) {
      const [found] = await db[run](sql`SELECT text FROM ${table} ${where}`);
      expect(found).toEqual([{ text: evil }]);
    }
    expect(await db.queryValue(sql`SELECT COUNT(*) FROM notes`)).toBe(1);
    for await (const row of db.stream(sql`SELECT id FROM notes WHERE id = ${1}`)) {
      expect(row).toEqual({ id: 1 });
    }
  });

  it('bulkInsert(): as few statements as max_allowed_packet allows, all rows or none', async () => {
    const db = bench.open();
    expect(await db.bulkInsert('notes', rows(1000))).toEqual({ affectedRows: 1000, statements: 1 });
    const [kept] = await db.query('SELECT * FROM notes ORDER BY id');
    expect(kept).toEqual(rows(1000));
    const more = Array.from({ length: 500 }, (_, at) => [at + 2000, 'x'.repeat(100)]);
    const columns = ['id', 'text'];
    const { statements } = await db.bulkInsert('notes', more, { columns, maxBytes: 10_000 });
    expect(statements).toBeGreaterThan(5);
    const clash = [
      ...Array.from({ length: 200 }, (_, at) => [at + 5000, 'x'.repeat(100)]),
      [1, 'x'],
    ];
    const error = await failure(db.bulkInsert('notes', clash, { columns, maxBytes: 10_000 }));
    expect(error).toMatchObject({ errno: 1062 });
    expect(await db.queryValue('SELECT COUNT(*) FROM notes')).toBe(1500);
    expect(await db.bulkInsert('notes', [])).toEqual({ affectedRows: 0, statements: 0 });
  });

  it('bulkInsert() takes part in the transaction that is open', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const mine = new Error('mine');
    const block = db.atomic(async () => {
      await db.bulkInsert('notes', rows(10));
      throw mine;
    });
    expect(await failure(block)).toBe(mine);
    expect(await notesIn(bench)).toEqual([]);
  });

  it('bulkInsert() with onDuplicate', async () => {
    const db = bench.open();
    await db.bulkInsert('notes', [{ id: 1, text: 'old' }]);
    const again = [
      { id: 1, text: 'new' },
      { id: 2, text: 'new' },
    ];
    await db.bulkInsert('notes', again, { onDuplicate: 'ignore' });
    expect(await db.queryValue('SELECT text FROM notes WHERE id = 1')).toBe('old');
    await db.bulkInsert('notes', again, { onDuplicate: 'update' });
    expect(await db.queryValue('SELECT text FROM notes WHERE id = 1')).toBe('new');
  });

  it('bulkInsert() refuses a bad row before anything is sent, and shows no value', async () => {
    const db = bench.open();
    const bad = [{ id: 1, text: 'a' }, { id: 2 }];
    const error = await failure(db.bulkInsert('notes', bad));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).toMatch(/row 1.*text/);
    const packet = await db.queryValue<number>('SELECT @@max_allowed_packet');
    const huge = [{ id: 1, text: 'secret'.repeat(Math.ceil((packet ?? 0) / 6)) }];
    const tooLarge = await failure(db.bulkInsert('notes', huge));
    expect(tooLarge).toBeInstanceOf(InvalidArgumentError);
    expect(tooLarge.message).not.toContain('secret');
    expect(await notesIn(bench)).toEqual([]);
  });

  it('where a backslash is a plain character, values are not escaped but have to be bound', async () => {
    const db = bench.open({ initSql: "SET sql_mode = 'NO_BACKSLASH_ESCAPES'" });
    const evil = "\\' OR 1=1 -- ";
    expect(await failure(db.query('SELECT ? AS x', [evil]))).toBeInstanceOf(InvalidArgumentError);
    expect(await failure(db.bulkInsert('notes', rows(1)))).toBeInstanceOf(InvalidArgumentError);
    expect(await db.queryValue('SELECT ?', [evil])).toBe(evil);
    expect((await db.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
  });
});
