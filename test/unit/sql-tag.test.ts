import fc from 'fast-check';
import * as mysql2 from 'mysql2';
import { serverReadings } from '../../src/driver/sql-readings';
import { requestOf } from '../../src/driver/statement-arguments';
import { sql, type SqlFragment } from '../../src/driver/sql-tag';
import { InvalidArgumentError } from '../../src/errors';

/** The strings of a template with these pieces of text, as a program's own would be. */
function strings(...pieces: (string | undefined)[]): TemplateStringsArray {
  return Object.assign(pieces, { raw: pieces }) as unknown as TemplateStringsArray;
}

/** The statement as `query` sends it. */
function sent(fragment: SqlFragment): string {
  return mysql2.format(fragment.sql, fragment.values as never[]);
}

function refusal(work: () => unknown): InvalidArgumentError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect((error as Error).message).not.toContain('secret');
    return error as InvalidArgumentError;
  }
  throw new Error('was not refused');
}

describe('sql`…`', () => {
  it('makes every interpolation a placeholder, its value in its place', () => {
    const { sql: text, values } = sql`SELECT * FROM t WHERE a = ${1} AND b = ${"x' OR 1=1 -- "}`;
    expect(text).toBe('SELECT * FROM t WHERE a = ? AND b = ?');
    expect(values).toEqual([1, "x' OR 1=1 -- "]);
  });

  it('has exactly a text and values, frozen, and is taken wherever a statement object is', () => {
    const fragment = sql`SELECT ${1}`;
    expect(Object.keys(fragment)).toEqual(['sql', 'values']);
    expect(Object.isFrozen(fragment) && Object.isFrozen(fragment.values)).toBe(true);
    expect(requestOf(fragment).statement).toMatchObject({ sql: 'SELECT ?', values: [1] });
    expect(sent(fragment)).toBe('SELECT 1');
  });

  it('binds text, numbers, bigints, booleans, null, dates and bytes as they are', () => {
    const values = ['a', 1.5, 2n, true, null, new Date(0), Buffer.from('b')];
    const [a, b, c, d, e, f, g] = values;
    expect(sql`${a},${b},${c},${d},${e},${f},${g}`).toEqual({ sql: '?,?,?,?,?,?,?', values });
  });

  it('binds a Uint8Array as the Buffer over the same bytes, which is what `execute` knows', () => {
    const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    expect(sql`SELECT ${bytes}`.values).toEqual([Buffer.from([2, 3])]);
    expect(Buffer.isBuffer(sql`SELECT ${bytes}`.values[0])).toBe(true);
  });

  it('splices fragments as text, their values in order, as deep as they go', () => {
    const inner = sql`b = ${2}`;
    const middle = sql`(${inner} OR c = ${3})`;
    expect(sql`SELECT ${0} WHERE a = ${1} AND ${middle} AND d = ${4}`).toEqual({
      sql: 'SELECT ? WHERE a = ? AND (b = ? OR c = ?) AND d = ?',
      values: [0, 1, 2, 3, 4],
    });
    expect(sql`a${sql``}b`).toEqual({ sql: 'ab', values: [] });
  });

  it('does not take an object that only looks like a fragment', () => {
    const forged = JSON.parse('{"sql":"DROP TABLE t","values":[]}') as object;
    expect(refusal(() => sql`SELECT 1; ${forged}`).argument).toBe('sql');
  });

  it.each<[unknown, RegExp]>([
    [['secret'], /interpolation 2 is an array of 1 .*sql\.join/],
    [{ secret: 'secret' }, /interpolation 2 is an object \(Object\) .*JSON\.stringify/],
    [new Map([['secret', 1]]), /interpolation 2 is an object \(Map\)/],
    [undefined, /interpolation 2 is undefined: write null/],
    [() => 'secret', /interpolation 2 is a function/],
    [Symbol('secret'), /interpolation 2 is a symbol/],
    [NaN, /interpolation 2 is a number that SQL has not/],
    [-Infinity, /interpolation 2 is a number that SQL has not/],
    [new Date(NaN), /interpolation 2 is an invalid Date/],
    [{ toSqlString: () => 'secret' }, /interpolation 2 is an object/],
  ])('refuses %p by its position, and never shows it', (value, text) => {
    expect(refusal(() => sql`SELECT ${'secret'}, ${value}`).message).toMatch(text);
    expect(refusal(() => sql`SELECT ${sql`1`}, ${value}`).message).toMatch(text);
  });

  it.each([
    ['a placeholder of its own', ['SELECT ? + ', '']],
    ['one at the end', ['SELECT ', ' + ?']],
    ['one in an executable comment', ['SELECT /*! ? */ ', '']],
    ['one in MariaDB’s executable comment', ['SELECT /*M!100100 ? */ ', '']],
    ['one in a hint, where the driver sees it', ['SELECT /*+ ? */ ', '']],
    ['one in double quotes, where the driver sees it', ['SELECT "?", ', '']],
    ['one after #, where the driver sees it', ['SELECT 1 # ?\n, ', '']],
    ['one that a comment sign does not cover', ['SELECT 1 --? ', '']],
  ])('refuses text with %s', (_case, pieces) => {
    expect(refusal(() => sql(strings(...pieces), 1)).message).toMatch(
      /\? (?:of its own|in double)/,
    );
  });

  it.each([
    ['single quotes', "SELECT '?', "],
    ['single quotes with a doubled quote', "SELECT 'it''s ?', "],
    ['single quotes with an escaped quote', "SELECT 'it\\'s ?', "],
    ['a quoted name', 'SELECT `a?`, '],
    ['a comment', 'SELECT /* really? */ '],
    ['a comment of one line', 'SELECT -- really?\n '],
  ])('takes a ? inside %s, and the value goes where it belongs', (_case, before) => {
    const fragment = sql(strings(before, ''), 7);
    expect(fragment).toEqual({ sql: `${before}?`, values: [7] });
    expect(sent(fragment)).toBe(`${before}7`);
  });

  it.each([
    ['single quotes', ["SELECT '", "'"]],
    ['a pattern', ["SELECT a LIKE '%", "%'"]],
    ['double quotes', ['SELECT "', '"']],
    ['a quoted name', ['SELECT `', '`']],
    ['a comment', ['SELECT /* ', ' */ 1']],
    ['an executable comment', ['SELECT /*! ', ' */ 1']],
    ['a comment of one line', ['SELECT 1 -- ', '\n']],
    ['what may become one', ['SELECT 1 --', ' ']],
    ['a # comment', ['SELECT 1 # ', '\n']],
    ['quotes that an escape left open', ["SELECT 'a\\'", "'"]],
  ])('refuses an interpolation inside %s', (_case, pieces) => {
    const where = /before interpolation 1 ends inside quotes or a comment/;
    expect(refusal(() => sql(strings(...pieces), 'secret')).message).toMatch(where);
    expect(refusal(() => sql(strings(...pieces), sql`a`)).message).toMatch(where);
  });

  it('refuses text after which the driver would find no placeholder', () => {
    expect(refusal(() => sql`SELECT "it's", ${1}`).message).toMatch(/driver/);
    expect(refusal(() => sql`SELECT 1 # it's${sql``}`).message).toMatch(/ends inside/);
    expect(refusal(() => sql`SELECT 1 # it's\n, ${1}`).message).toMatch(/driver/);
    expect(sql`SELECT "its", ${1}`.sql).toBe('SELECT "its", ?');
  });

  it('refuses text that leaves a quote or a comment open, so that a fragment stands for itself', () => {
    for (const text of ["a'", 'a"', 'a`', 'a /* b', "a '\\'"]) {
      expect(refusal(() => sql(strings(text))).message).toMatch(/text at the end ends inside/);
    }
  });

  it('lets a comment of one line end a fragment, without swallowing what follows', () => {
    const fragment = sql`a = ${1} -- the first`;
    expect(sql`SELECT ${fragment} AND b = ${2}`).toEqual({
      sql: 'SELECT a = ? -- the first\n AND b = ?',
      values: [1, 2],
    });
  });

  it('keeps apart what would become something else', () => {
    expect(sql`${1}${2}`.sql).toBe('? ?');
    expect(sql`${sql`${1}`}${2}`.sql).toBe('? ?');
    expect(sql`1 -${sql`-`} ${2}`.sql).toBe('1 - - ?');
    expect(sql`1 /${sql`* 2 */ 3`}`.sql).toBe('1 / * 2 */ 3');
    expect(sql`'a'${sql`'b'`}`.sql).toBe("'a' 'b'");
    expect(sql`'a'${'b'}'c'`.sql).toBe("'a' ? 'c'");
    expect(sql`${sql.identifier('a')}${sql.identifier('b')}`.sql).toBe('`a` `b`');
  });

  it('refuses to be called as a function with a text', () => {
    expect(refusal(() => sql('secret' as never)).message).toMatch(/template tag/);
    expect(refusal(() => sql(['secret'] as never)).message).toMatch(/template tag/);
    expect(refusal(() => sql(strings('a', 'b'))).message).toMatch(/1 interpolations, got 0/);
    expect(refusal(() => sql(strings('a'), 'secret')).message).toMatch(/0 interpolations, got 1/);
    expect(refusal(() => sql`a \u ${1}`).message).toMatch(/invalid escape/);
  });

  it('reads the text of a template once, however often it runs', () => {
    const text = `SELECT '${'x'.repeat(4_000_000)}', `;
    const template = strings(text, '');
    const begun = performance.now();
    for (let i = 0; i < 1000; i++) expect(sql(template, i).values).toEqual([i]);
    // Each reading takes some 50 ms.
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});

describe('sql.identifier', () => {
  it.each<[[string, ...string[]], string]>([
    [['a'], '`a`'],
    [['a', 'b'], '`a`.`b`'],
    [['a.b'], '`a.b`'],
    [['a`; DROP TABLE t; -- '], '`a``; DROP TABLE t; -- `'],
    [['a?'], '`a?`'],
    [['a\\'], '`a\\`'],
  ])('%p becomes %s', (parts, text) => {
    expect(sql.identifier(...parts)).toEqual({ sql: text, values: [] });
    expect(sent(sql`SELECT ${sql.identifier(...parts)}, ${1}`)).toBe(`SELECT ${text}, 1`);
  });

  it.each<[unknown[]]>([[[]], [['']], [['a\0']], [['a', '']], [[5]], [[undefined]], [[['a']]]])(
    '%p is refused',
    (parts) => {
      const error = refusal(() => sql.identifier(...(parts as [string])));
      expect(error.argument).toBe('identifier');
    },
  );
});

describe('sql.join', () => {
  it('makes a list of values, of fragments, or of both', () => {
    expect(sql`a IN (${sql.join([1, 'x'])})`).toEqual({ sql: 'a IN (?, ?)', values: [1, 'x'] });
    expect(sql.join(new Set([1, 2]))).toEqual({ sql: '?, ?', values: [1, 2] });
    expect(sql.join([sql`a = ${1}`, sql`b`, 2], sql` AND `)).toEqual({
      sql: 'a = ? AND b AND ?',
      values: [1, 2],
    });
    expect(sql.join([1, 2], sql` + ${9} + `).values).toEqual([1, 9, 2]);
    expect(sql.join([1, 2], sql``).sql).toBe('? ?');
  });

  it('takes a list as long as anybody has', () => {
    const list = sql.join(Array.from({ length: 300_000 }, (_, index) => index));
    expect(sql`SELECT ${list}`.values).toHaveLength(300_000);
  });

  it.each<[unknown, string, RegExp]>([
    [[], 'values', /empty/],
    [[1, ['secret']], 'values', /item 2 is an array/],
    [[1, undefined], 'values', /item 2 is undefined/],
    ['secret', 'values', /must be a list, got a string/],
    [Buffer.from('secret'), 'values', /must be a list/],
    [{ secret: 1 }, 'values', /must be a list/],
    [undefined, 'values', /must be a list/],
  ])('refuses %p', (values, argument, text) => {
    const error = refusal(() => sql.join(values as never));
    expect(error.argument).toBe(argument);
    expect(error.message).toMatch(text);
  });

  it('refuses a separator that is plain text', () => {
    expect(refusal(() => sql.join([1], 'secret' as never)).argument).toBe('separator');
  });
});

describe('sql`…`, whatever the text', () => {
  const tokens = ["'", '"', '`', '#', '-- ', '--', '-', '/*', '*/', '/*!', '/*+', '\\', '?', '\n'];
  const token = fc.constantFrom(...tokens, ' ', 'a', '1', '/', '*', '!');
  const piece = fc.array(token, { maxLength: 6 }).map((parts) => parts.join(''));

  it('is refused, or the driver puts exactly the values into the places of the interpolations', () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.array(piece, { minLength: 2, maxLength: 4 }), (pieces) => {
        const marks = pieces.slice(1).map((_, index) => 9_000_000 + index);
        let fragment: SqlFragment;
        try {
          fragment = sql(strings(...pieces), ...marks);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidArgumentError);
          return;
        }
        taken++;
        let rest = sent(fragment);
        for (const [index, mark] of marks.entries()) {
          const [before, ...after] = rest.split(String(mark));
          // A space may keep neighbours apart.
          expect(before!.trim()).toBe(pieces[index]!.trim());
          rest = after.join(String(mark));
        }
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('keeps its values in their places however it is spliced', () => {
    let taken = 0;
    const pair = fc.tuple(piece, piece);
    fc.assert(
      fc.property(pair, pair, piece, ([a, b], [c, d], between) => {
        let whole: SqlFragment;
        try {
          const [one, other] = [sql(strings(a, b), 91), sql(strings(c, d), 92)];
          whole = sql(strings('', between, ''), one, other);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidArgumentError);
          return;
        }
        taken++;
        for (const { bare, open } of serverReadings(whole.sql)) {
          expect(bare.split('?')).toHaveLength(3);
          expect(open).toBe(false);
        }
        expect(sent(whole).split('91')[1]?.split('92')).toHaveLength(2);
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});
