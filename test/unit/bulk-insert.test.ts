import fc from 'fast-check';
import * as mysql2 from 'mysql2';
import { planInsert, type InsertRequest } from '../../src/driver/bulk-insert';
import { InvalidArgumentError } from '../../src/errors';

const escape = (value: unknown): string => mysql2.escape(value as never);

function plan(request: Partial<InsertRequest>): string[] {
  return planInsert({ table: 't', rows: [], escape, maxBytes: 1_000_000, ...request });
}

function refusal(request: Partial<Record<keyof InsertRequest, unknown>>): InvalidArgumentError {
  try {
    plan(request as Partial<InsertRequest>);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect((error as Error).message).not.toContain('secret');
    return error as InvalidArgumentError;
  }
  throw new Error('was not refused');
}

describe('planInsert', () => {
  it('writes the rows into one statement where they fit', () => {
    const rows = [
      { a: 1, b: "it's" },
      { b: null, a: 2 },
    ];
    expect(plan({ rows })).toEqual(["INSERT INTO `t` (`a`, `b`) VALUES (1, 'it\\'s'), (2, NULL)"]);
  });

  it('makes nothing of no rows', () => {
    expect(plan({ rows: [] })).toEqual([]);
    expect(plan({ rows: [], columns: ['a'] })).toEqual([]);
  });

  it('takes arrays in the order of the columns, and objects in any', () => {
    const rows = [[1, 2], { b: 4, a: 3 }];
    expect(plan({ rows, columns: ['a', 'b'] })).toEqual([
      'INSERT INTO `t` (`a`, `b`) VALUES (1, 2), (3, 4)',
    ]);
    expect(plan({ rows: [{ a: 1, b: 2 }], columns: ['b', 'a'] })).toEqual([
      'INSERT INTO `t` (`b`, `a`) VALUES (2, 1)',
    ]);
  });

  it('reads rows once, from whatever yields them', () => {
    const rows = (function* () {
      yield { a: 1 };
      yield { a: 2 };
    })();
    expect(plan({ rows })).toEqual(['INSERT INTO `t` (`a`) VALUES (1), (2)']);
  });

  it('takes a name as one name, dots and backticks included, and a qualified one in parts', () => {
    const rows = [{ 'a.`b': 1 }];
    expect(plan({ rows, table: 'x.`y' })).toEqual(['INSERT INTO `x.``y` (`a.``b`) VALUES (1)']);
    expect(plan({ rows, table: ['x', 'y'] })).toEqual(['INSERT INTO `x`.`y` (`a.``b`) VALUES (1)']);
  });

  it('writes every kind of value as the driver does', () => {
    const values = [1.5, 2n ** 60n, true, false, null, 'ü?:x', new Date(0), Buffer.from('ab')];
    const row = [...values, new Uint8Array([1, 255])];
    const columns = row.map((_, index) => `c${index}`);
    const [sql] = plan({ rows: [row], columns });
    expect(sql).toContain(
      `VALUES (1.5, 1152921504606846976, true, false, NULL, 'ü?:x', ${escape(new Date(0))}, X'6162', X'01ff')`,
    );
  });

  it.each<[InsertRequest['onDuplicate'], string]>([
    [undefined, ''],
    ['error', ''],
    ['ignore', ' ON DUPLICATE KEY UPDATE `a` = `a`'],
    ['update', ' ON DUPLICATE KEY UPDATE `a` = VALUES(`a`), `b``` = VALUES(`b```)'],
    [{ update: ['b`'] }, ' ON DUPLICATE KEY UPDATE `b``` = VALUES(`b```)'],
  ])('ends with what onDuplicate %j means', (onDuplicate, clause) => {
    expect(plan({ rows: [{ a: 1, 'b`': 2 }], onDuplicate })).toEqual([
      `INSERT INTO \`t\` (\`a\`, \`b\`\`\`) VALUES (1, 2)${clause}`,
    ]);
  });
});

describe('planInsert, by bytes', () => {
  const head = 'INSERT INTO `t` (`a`) VALUES ';

  it('fills a statement to the last byte and begins the next with the row that is too much', () => {
    const rows = [{ a: 11 }, { a: 22 }, { a: 33 }];
    const two = `${head}(11), (22)`;
    expect(plan({ rows, maxBytes: two.length })).toEqual([two, `${head}(33)`]);
    expect(plan({ rows, maxBytes: two.length - 1 })).toEqual([
      `${head}(11)`,
      `${head}(22)`,
      `${head}(33)`,
    ]);
  });

  it('counts what follows the rows in every statement', () => {
    const rows = [{ a: 1 }, { a: 2 }];
    const both = `${head}(1), (2) ON DUPLICATE KEY UPDATE \`a\` = \`a\``;
    expect(plan({ rows, onDuplicate: 'ignore', maxBytes: both.length })).toEqual([both]);
    expect(plan({ rows, onDuplicate: 'ignore', maxBytes: both.length - 1 })).toHaveLength(2);
  });

  it('refuses a row that is too large alone, with its number and bytes, and plans nothing', () => {
    const rows = [{ a: 'x' }, { a: 'secretü\n' }];
    const bytes = Buffer.byteLength(`${head}('secretü\\n')`);
    expect(refusal({ rows, maxBytes: bytes - 1 }).message).toMatch(
      new RegExp(`row 1 .* ${bytes} bytes.* ${bytes - 1} `),
    );
    expect(plan({ rows, maxBytes: bytes })).toHaveLength(2);
  });

  it('counts bytes as they are sent: hexadecimal for bytes, UTF-8 for text, escapes included', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
      fc.integer(),
      fc.constant(null),
    );
    const table = fc.array(fc.record({ ä: value, b: value }), { minLength: 1, maxLength: 30 });
    const duplicates = fc.constantFrom('error' as const, 'ignore' as const, 'update' as const);
    fc.assert(
      fc.property(table, fc.integer({ min: 250, max: 800 }), duplicates, (rows, maxBytes, what) => {
        const statements = plan({ rows, maxBytes, onDuplicate: what });
        for (const sql of statements) expect(Buffer.byteLength(sql)).toBeLessThanOrEqual(maxBytes);
        const [whole = ''] = plan({ rows, onDuplicate: what });
        const begin = whole.slice(0, whole.indexOf('VALUES ') + 7);
        const end = what === 'error' ? '' : whole.slice(whole.lastIndexOf(' ON DUPLICATE'));
        const inner = statements.map((sql) => sql.slice(begin.length, sql.length - end.length));
        expect(begin + inner.join(', ') + end).toBe(whole);
      }),
    );
  });

  it('takes a hundred thousand rows in a time that does not grow with their square', () => {
    const rows = Array.from({ length: 100_000 }, (_, id) => ({ id, name: `name ${id}`, at: null }));
    const begun = performance.now();
    const statements = plan({ rows, maxBytes: 1_000_000 });
    // Well within a second on a machine that does nothing else.
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(statements.length).toBeLessThan(5);
  });
});

describe('planInsert refuses', () => {
  it.each<[string, unknown[], RegExp]>([
    ['a missing column', [{ a: 1, b: 2 }, { a: 'secret' }], /row 1 lacks 'b'/],
    ['an inherited column', [{ a: 1 }, Object.create({ a: 'secret' })], /row 1 lacks 'a'/],
    ['a column too many', [{ a: 1 }, { a: 1, b: 'secret' }], /row 1 has 'b'/],
    ['undefined', [{ a: 1 }, { a: undefined }], /row 1, column 'a' is undefined: write null/],
    ['an array', [{ a: ['secret'] }], /row 0, column 'a' is an array .*JSON\.stringify/],
    ['an object', [{ a: { b: 'secret' } }], /row 0, column 'a' is an object .*JSON\.stringify/],
    ['raw SQL', [{ a: mysql2.raw('secret') }], /row 0, column 'a' is an object/],
    ['NaN', [{ a: NaN }], /row 0, column 'a' is a number that SQL has not/],
    ['infinity', [{ a: Infinity }], /row 0, column 'a' is a number that SQL has not/],
    ['an invalid Date', [{ a: new Date(NaN) }], /row 0, column 'a' is an invalid Date/],
    ['a function', [{ a: () => 'secret' }], /row 0, column 'a' is a function/],
    ['a symbol', [{ a: Symbol('secret') }], /row 0, column 'a' is a symbol/],
    ['a row that is null', [{ a: 1 }, null], /row 1 must be an object .* null/],
    ['a first row that is a text', ['secret'], /row 0 must be an object/],
    ['a row without columns', [{}], /row 0 has no columns/],
  ])('%s, by the number of the row and the column', (_case, rows, text) => {
    const error = refusal({ rows });
    expect(error.argument).toBe('rows');
    expect(error.message).toMatch(text);
  });

  it.each<[string, unknown[], RegExp]>([
    ['too short', [[1, 2], ['secret']], /row 1 lacks 'b': 1 values for 2 columns/],
    ['too long', [[1, 2, 'secret']], /row 0 has more: 3 values for 2 columns/],
    ['with a hole', [[, 'secret']], /row 0, column 'a' is undefined/],
  ])('an array %s', (_case, rows, text) => {
    expect(refusal({ rows, columns: ['a', 'b'] }).message).toMatch(text);
  });

  it.each<[string, Partial<Record<keyof InsertRequest, unknown>>, string, RegExp]>([
    ['arrays without columns', { rows: [['secret']] }, 'columns', /must be given/],
    ['a later array without', { rows: [{ a: 1 }, ['secret']] }, 'columns', /row 1 is an array/],
    ['no columns', { columns: [] }, 'columns', /list of names/],
    ['a column twice', { columns: ['a', 'b', 'a'] }, 'columns', /names 'a' twice/],
    ['a column without a name', { columns: [''] }, 'columns', /must be a name/],
    ['no table', { table: '', rows: [] }, 'table', /must be a name/],
    ['a table of no parts', { table: [] }, 'table', /must be a name/],
    ['a table with NUL', { table: 'a\0' }, 'table', /NUL/],
    ['rows that are no list', { rows: { a: 'secret' } }, 'rows', /must be a list/],
    ['rows that are a text', { rows: 'secret' }, 'rows', /must be a list/],
    ['a limit of nothing', { maxBytes: 0 }, 'maxBytes', /whole number/],
    ['a limit that is none', { maxBytes: NaN }, 'maxBytes', /whole number/],
    ['another onDuplicate', { onDuplicate: 'replace' }, 'onDuplicate', /must be 'error'/],
    ['an empty onDuplicate', { onDuplicate: {} }, 'onDuplicate', /must be 'error'/],
    ['no column to update', { onDuplicate: { update: [] } }, 'onDuplicate', /list of names/],
    ['a foreign column', { onDuplicate: { update: ['b'] } }, 'onDuplicate', /'b', which is not/],
  ])('%s', (_case, request, argument, text) => {
    const error = refusal({ rows: [{ a: 1 }], ...request });
    expect(error.argument).toBe(argument);
    expect(error.message).toMatch(text);
  });
});
