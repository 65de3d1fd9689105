import fc from 'fast-check';
import * as mysql2 from 'mysql2';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { positional } from '../../src/driver/named-placeholders';
import { InvalidArgumentError } from '../../src/errors';

function refusal(sql: string, values: unknown): InvalidArgumentError {
  try {
    positional(sql, values as never);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect((error as Error).message).not.toContain('secret');
    return error as InvalidArgumentError;
  }
  throw new Error('was not refused');
}

describe('placeholders by name', () => {
  it('become placeholders by position, each with its value', () => {
    expect(positional('SELECT :a, :b_2 FROM t WHERE c=:C', { b_2: 2, C: null, a: 'x' })).toEqual({
      sql: 'SELECT ?, ? FROM t WHERE c=?',
      values: ['x', 2, null],
    });
  });

  it('may be named twice, and the object may have more', () => {
    expect(positional('(:a,:b,:a)', { a: 1, b: 2, c: 3 })).toEqual({
      sql: '(?,?,?)',
      values: [1, 2, 1],
    });
  });

  it('may be numbers', () => {
    expect(positional(':1, :0', { 0: 'zero', 1: 'one' }).values).toEqual(['one', 'zero']);
  });

  it('need not be there', () => {
    expect(positional('SELECT 1', {})).toEqual({ sql: 'SELECT 1', values: [] });
    expect(positional('', {})).toEqual({ sql: '', values: [] });
  });

  it.each([
    ['single quotes', "SELECT ':x ?', "],
    ['single quotes with a doubled quote', "SELECT 'it''s :x', "],
    ['single quotes with an escaped quote', "SELECT 'it\\'s :x', "],
    ['double quotes', 'SELECT "at 10:x", '],
    ['a quoted name', 'SELECT `a:x`, `it\'s :x` "", '],
    ['a comment', "SELECT /* :x, don't ? */ "],
    ['a comment of one line', "SELECT 1 -- :x, don't ?\n, "],
    ['a # comment', 'SELECT 1 # :x\n, '],
    ['an executable comment', 'SELECT /*!40001 SQL_NO_CACHE */ '],
    ['an assignment', 'SELECT @a:=1, @b := 2, '],
    ['a label', 'a: BEGIN SELECT '],
    ['a NULL of its own', 'SELECT \\N, '],
  ])('are no placeholders in %s, and the one behind it is', (_case, before) => {
    const { sql, values } = positional(`${before}:x`, { x: 7 });
    expect({ sql, values }).toEqual({ sql: `${before}?`, values: [7] });
    // The driver finds the same place, where `query` is used.
    expect(mysql2.format(sql, values as never[])).toBe(`${before}7`);
  });

  it('may follow an assignment at once', () => {
    expect(positional('SET @a:=:x', { x: 1 }).sql).toBe('SET @a:=?');
  });

  it('never become the ?? that the driver takes for a name', () => {
    expect(positional(':a:b', { a: 1, b: 2 }).sql).toBe('? ?');
  });

  it('leave every other character as it is', () => {
    const text = "/* a: */ SELECT 'b:', :x, `c:`, d: -- :\n'e' AND :x:";
    expect(positional(text, { x: 1 }).sql).toBe(text.replaceAll(':x', '?'));
  });

  it.each([
    ['is missing', 'SELECT :id, :name', { id: 'secret' }, /nothing for :name$/],
    ['are missing', 'SELECT :b, :a, :b', { c: 'secret' }, /nothing for :b, :a$/],
    ['is inherited', 'SELECT :toString', { a: 'secret' }, /nothing for :toString$/],
    ['is a constructor', 'SELECT :constructor', {}, /nothing for :constructor$/],
    ['is from a prototype', 'SELECT :a', Object.create({ a: 'secret' }), /nothing for :a$/],
    [
      'is undefined',
      'SELECT :a, :b',
      { a: 'secret', b: undefined },
      /undefined for :b: write null/,
    ],
    ['is a number and missing', 'SELECT :1', {}, /nothing for :1$/],
    ['are in an array', 'SELECT :a', ['secret'], /must be an object of values by name/],
    ['are null', 'SELECT :a', null, /must be an object/],
    ['are a text', 'SELECT :a', 'secret', /must be an object/],
  ])('are refused by name where what they stand for %s', (_case, sql, values, text) => {
    const error = refusal(sql, values);
    expect(error.argument).toBe('values');
    expect(error.message).toMatch(text);
  });

  it.each([
    ['a ? beside them', 'SELECT :a, ?', /a \? beside/],
    ['a ? alone', 'SELECT ?', /a \? beside/],
    ['a name in the place of a table', 'SELECT * FROM ::a', /::a; a name of a table/],
    ['a letter that is not ASCII', 'SELECT :aé', /:aé; a placeholder is a letter/],
    ['a first _', 'SELECT :_a', /:_a; a placeholder/],
    ['a dollar sign', 'SELECT :a$b', /:a\$b; a placeholder/],
    ['letters after a number', 'SELECT :1a', /:1a; a placeholder/],
    ['one in an executable comment', 'SELECT /*! :a */ 1', /executable comment/],
    ['one in a hint', 'SELECT /*+ :a */ 1', /executable comment/],
    ["a ' in double quotes, behind which the driver is lost", 'SELECT "it\'s", :a', /driver/],
    ['a ? in double quotes, which the driver fills', 'SELECT "?", :a', /driver/],
    ["a ' after #", "SELECT 1 # don't\n, :a", /driver/],
  ])('are refused with %s', (_case, sql, text) => {
    const error = refusal(sql, { a: 'secret', _a: 'secret', 1: 'secret' });
    expect(error.argument).toBe('sql');
    expect(error.message).toMatch(text);
  });

  it('give the same whether the text is new or known, and nothing of one call stays for the next', () => {
    for (let i = 0; i < 3; i++) {
      const { sql, values } = positional('SELECT :a', { a: i });
      expect([sql, ...values]).toEqual(['SELECT ?', i]);
      values.push('more');
    }
    for (let i = 0; i < 3; i++) expect(refusal('SELECT :a, ?', { a: 1 }).argument).toBe('sql');
  });

  it('hold no memory for texts without end', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const texts = (from: number): void => {
      for (let i = from; i < from + 20_000; i++) {
        positional(`SELECT :a /* ${i} ${'x'.repeat(1500)} */`, { a: 1 });
      }
    };
    texts(0);
    collect();
    const before = process.memoryUsage().heapUsed;
    texts(20_000);
    collect();
    // All of them would be 60 MB and more; what is remembered is a thousand of 1.5 kB, twice.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(15 * 2 ** 20);
  });

  it('are found in a statement of many megabytes', () => {
    const long = `SELECT '${':x '.repeat(3_000_000)}', ${':a, '.repeat(100_000)} :b`;
    expect(positional(long, { a: 1, b: 2 }).values).toHaveLength(100_001);
  });
});

describe('placeholders by name, whatever is around them', () => {
  const literal = fc
    .tuple(
      fc.constantFrom("'", '`', '/*', '-- '),
      fc.array(fc.constantFrom(':x', '?', 'a', ' ', '#', '"', ':', '::', '--', '::x'), {
        maxLength: 5,
      }),
    )
    .map(([begin, inside]) => {
      const end = new Map([
        ['/*', '*/'],
        ['-- ', '\n'],
      ]).get(begin);
      return begin + inside.join('') + (end ?? begin);
    });
  const part = fc.oneof(literal, fc.constantFrom(':x', ':x', ':y1', ' a ', ',', '(', '@a:=', '-'));

  it('only they change, and the driver puts the values there', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const place = (index: number): boolean => /^:[xy]/.test(parts[index] ?? '');
        const given = parts.join(' ');
        const { sql, values } = positional(given, { x: 91, y1: 92 });
        expect(sql).toBe(parts.map((one, index) => (place(index) ? '?' : one)).join(' '));
        const filled = parts.map((one, index) => (place(index) ? (one === ':x' ? 91 : 92) : one));
        expect(mysql2.format(sql, values as never[])).toBe(filled.join(' '));
      }),
      { numRuns: 2000 },
    );
  });
});
