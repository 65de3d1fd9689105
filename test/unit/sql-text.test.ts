import fc from 'fast-check';
import { normalizeSql, traitsOf } from '../../src/driver/sql-text';

describe('normalizeSql', () => {
  it.each([
    ['text', "SELECT 'secret'", 'SELECT ?'],
    ['text in double quotes', 'SELECT "secret"', 'SELECT ?'],
    ['a doubled quote', "SELECT 'it''s secret', a", 'SELECT ?, a'],
    // By SQL mode a backslash escapes or does not: where a literal ends is not known.
    ['an escaped quote', "SELECT 'it\\'s secret', a", 'SELECT …'],
    ['an escaped backslash at the end', "SELECT 'secret\\\\', a", 'SELECT …'],
    ['the other kind of quote inside', `SELECT 'a"b', "c'd", e`, 'SELECT ?, ?, e'],
    ['a comment mark inside', "SELECT '/* secret', '-- x', '#', a", 'SELECT ?, ?, ?, a'],
    ['a line break inside', "SELECT 'a\nb'", 'SELECT ?'],
    ['an unterminated text', "SELECT 'secret and more", 'SELECT ?'],
    ['an unterminated text that ends in a backslash', "SELECT 'secret\\", 'SELECT …'],
    ['neighbouring texts', "SELECT 'a' 'b'", 'SELECT ? ?'],
    ['an introducer', "SELECT _utf8mb4'secret', N'x'", 'SELECT _utf8mb4?, N?'],
    ['a whole number', 'SELECT 42, -7', 'SELECT ?, -?'],
    ['a fraction', 'SELECT 4.25, 1.5e-3, 2E10', 'SELECT ?, ?, ?'],
    ['a hexadecimal', "SELECT 0xDEADbeef, x'4D', 0b0101", 'SELECT ?, x?, ?'],
    ['digits in a name', 'SELECT a1, t2.col_3 FROM t2', 'SELECT a1, t2.col_3 FROM t2'],
    ['a quoted name', "SELECT `a 1``b` FROM `t'2`", "SELECT `a 1``b` FROM `t'2`"],
    ['a list', 'WHERE id IN (1, 2,3)', 'WHERE id IN (?, …)'],
    ['a list of texts', "IN ('a','b')", 'IN (?, …)'],
    ['a list of one', 'IN (1)', 'IN (?)'],
    ['rows', "VALUES (1,'a'), (2,'b'),(3,'c')", 'VALUES (?, …), …'],
    ['placeholders', 'a = ? AND b IN (?, ?)', 'a = ? AND b IN (?, …)'],
    ['a comment', 'SELECT /* secret */ a', 'SELECT a'],
    ['an unterminated comment', 'SELECT a /* secret', 'SELECT a'],
    ['a hint', 'SELECT /*+ MAX_EXECUTION_TIME(1) */ a', 'SELECT a'],
    ['a line comment', 'SELECT a -- secret\n, b', 'SELECT a , b'],
    ['a line comment at the end', 'SELECT a --', 'SELECT a'],
    ['a hash comment', 'SELECT a # secret\n, b', 'SELECT a , b'],
    ['two minus signs that are no comment', 'SELECT a--b', 'SELECT a--b'],
    // Run or skipped by the server's version: the same.
    ['an executable comment', "SELECT /*!99999 ' */ 'secret' -- '", 'SELECT …'],
    ["MariaDB's executable comment", 'SELECT /*M!100100 a */', 'SELECT …'],
    ['what looks like the end of a comment', "SELECT 2*/* it's */3, 'secret'", 'SELECT ?* ?, ?'],
    ['white space', ' SELECT\t a \r\n FROM  t ', 'SELECT a FROM t'],
    ['an empty text', '', ''],
  ])('%s', (_case, sql, normal) => {
    expect(normalizeSql(sql)).toBe(normal);
  });

  it('takes a statement of many megabytes', () => {
    const long = 'x'.repeat(20 * 2 ** 20);
    // A log gets what the first few thousand characters say.
    expect(normalizeSql(`SELECT '${long}', a`)).toBe('SELECT ?');
    const list = '1,'.repeat(2_200_000);
    expect(normalizeSql(`SELECT a WHERE a IN (${list}1)`)).toMatch(/^SELECT a WHERE a IN \(\?/);
    expect(traitsOf(`/* ${long} */ COMMIT`).controlsTransaction).toBe(true);
  });
});

/* A literal written so that every part of it can be recognised again. */
const word = fc.stringMatching(/^[QZ]{3}[a-z]{3,8}$/);
const separators = fc.constantFrom(
  "''",
  "\\'",
  '\\\\',
  '"',
  '/*',
  '*/',
  '-- ',
  '#',
  '\n',
  ';',
  '\\',
  '`',
);
const textLiteral = fc
  .tuple(fc.array(fc.tuple(word, separators), { minLength: 1, maxLength: 5 }), word)
  .map(([parts, last]) => ({
    sql: `'${parts.map(([one, separator]) => one + separator).join('')}${last}'`,
    words: [...parts.map(([one]) => one), last],
  }));
const numberLiteral = fc
  .tuple(fc.integer({ min: 10_000, max: 99_999 }), fc.constantFrom('', '.5', 'e3', 'E-2', '.25e+1'))
  .map(([digits, rest]) => ({ sql: `${digits}${rest}`, words: [String(digits)] }));
const literal = fc.oneof(textLiteral, numberLiteral);
const around = fc.constantFrom(
  (values: string) => `SELECT a FROM t WHERE b IN (${values})`,
  (values: string) => `/* note */ INSERT INTO \`t\` VALUES (${values}), (${values})`,
  (values: string) => `CALL p(${values}) -- done`,
  (values: string) => `UPDATE t SET a = COALESCE(${values}) /*! LIMIT 1 */`,
);

describe('normalizeSql, whatever the statement', () => {
  it('shows nothing of a literal', () => {
    fc.assert(
      fc.property(around, fc.array(literal, { minLength: 1, maxLength: 4 }), (frame, literals) => {
        const normal = normalizeSql(frame(literals.map(({ sql }) => sql).join(', ')));
        for (const one of literals.flatMap(({ words }) => words)) expect(normal).not.toContain(one);
      }),
      { numRuns: 500 },
    );
  });

  it('shows nothing of a literal that is cut off', () => {
    fc.assert(
      fc.property(textLiteral, fc.nat(), ({ sql, words }, at) => {
        const cut = sql.slice(0, 1 + (at % (sql.length - 1)));
        const normal = normalizeSql(`SELECT ${cut}`);
        for (const one of words) expect(normal).not.toContain(one);
      }),
    );
  });

  it('is the same when it is done twice', () => {
    fc.assert(
      fc.property(around, literal, (frame, { sql }) => {
        const once = normalizeSql(frame(sql));
        expect(normalizeSql(once)).toBe(once);
      }),
    );
  });

  it('ends for any text at all', () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void normalizeSql(text)));
  });
});

describe('transaction control', () => {
  it.each([
    'BEGIN',
    'begin',
    'BeGiN WORK',
    ' \n\tBEGIN',
    'START TRANSACTION',
    'start\n transaction READ ONLY',
    'COMMIT',
    'commit and chain',
    'COMMIT;',
    '(COMMIT)',
    ';COMMIT',
    'ROLLBACK',
    'ROLLBACK TO a',
    'SAVEPOINT a',
    'RELEASE SAVEPOINT a',
    'release   savepoint a',
    "XA START 'a'",
    'XA COMMIT',
    '/* hello */ COMMIT',
    '/**/COMMIT',
    '/* a *//* b */\nCOMMIT',
    '-- hello\nCOMMIT',
    '--\nCOMMIT',
    '# hello\nCOMMIT',
    '/*!COMMIT*/',
    '/*! COMMIT */',
    '/*!50000 COMMIT */',
    '/*!50000COMMIT*/',
    '/*M!100100 COMMIT */',
    '/*M! commit*/',
    'SET autocommit=0',
    'set AutoCommit = 1',
    'SET @@autocommit=0',
    'SET @@session.autocommit=0',
    'SET SESSION autocommit = 0',
    'SET LOCAL autocommit = 0',
    'SET `autocommit` = 0',
    'SET @@session.`autocommit` = 0',
    'SET x=1, autocommit=1',
    "SET sql_mode='', @@autocommit = 0",
    'SET /* x */ autocommit /* y */ = 0',
    // MariaDB runs these.
    'SET STATEMENT max_statement_time=1 FOR BEGIN',
    'set statement a=1, b=2 for commit',
  ])('%p is recognised', (sql) => {
    expect(traitsOf(sql).controlsTransaction).toBe(true);
  });

  it.each([
    "SELECT 'COMMIT'",
    'SELECT "COMMIT"',
    'SELECT 1 /* COMMIT */',
    'SELECT 1 -- COMMIT',
    '/* COMMIT */ SELECT 1',
    '# COMMIT\nSELECT 1',
    "SELECT RELEASE_LOCK('a')",
    'RELEASE',
    'UPDATE commit SET a = 1',
    'UPDATE `commit` SET autocommit = 1',
    'BEGINNING',
    'COMMITTED',
    'ROLLBACKS',
    'STARTS TRANSACTION',
    'START SLAVE',
    'SAVEPOINTS',
    'XAVIER',
    "SET @a = 'autocommit'",
    'SET @autocommit = 1',
    'SET autocommit_like = 1',
    'SET my_autocommit = 1',
    'SETTLE autocommit',
    'SELECT @@autocommit',
    'SET STATEMENT max_statement_time=1 FOR SELECT 1',
    "INSERT INTO t VALUES ('BEGIN')",
    "'COMMIT'",
    '`COMMIT`',
    '',
  ])('%p is not', (sql) => {
    expect(traitsOf(sql).controlsTransaction).toBe(false);
  });
});

describe('what changes a session without the server saying so', () => {
  it.each([
    'SELECT @a := 1',
    'SELECT @a:=1',
    'SELECT a INTO @b FROM t',
    'SELECT a INTO\n@b FROM t',
    "SELECT a into @'b' FROM t",
    "SELECT GET_LOCK('a', 1)",
    "select get_lock ('a', 1)",
    'LOCK TABLES a READ',
    'lock table a write',
    'FLUSH TABLES WITH READ LOCK',
    'FLUSH TABLES a, b WITH READ  LOCK',
    'HANDLER t OPEN',
    'HANDLER t OPEN AS h',
    'SET TRANSACTION READ ONLY',
    'set /* x */ transaction isolation level serializable',
    '/*! LOCK TABLES a READ */',
  ])('%p is recognised', (sql) => {
    expect(traitsOf(sql).dirtiesSession).toBe(true);
  });

  it.each([
    "SELECT ':='",
    "SELECT 'INTO @a'",
    'SELECT 1 -- GET_LOCK(',
    'SELECT get_locks FROM t',
    'SELECT * FROM t FOR UPDATE',
    'INSERT INTO t SELECT @a',
    'SELECT 1 /* LOCK TABLES */',
    "SELECT RELEASE_LOCK('a')",
  ])('%p is not', (sql) => {
    expect(traitsOf(sql).dirtiesSession).toBe(false);
  });
});

it.each([
  ['SELECT 1', true],
  ['  (select 1)', true],
  ['/* a */ INSERT INTO t VALUES (1)', true],
  ['WITH a AS (SELECT 1) SELECT * FROM a', true],
  ['DO 0', true],
  ['SHOW TABLES', true],
  ['CALL p()', false],
  ['SET a = 1', false],
  ['CREATE TEMPORARY TABLE t (a INT)', false],
  ['SELECTED', false],
  ["'SELECT'", false],
])('%p is plain DML: %p', (sql, plain) => {
  expect(traitsOf(sql).plainDml).toBe(plain);
});

it('tells the traits of more texts than it remembers, and of long ones, again and again', () => {
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 1500; i++) {
      expect(traitsOf(`COMMIT /* ${i} */`).controlsTransaction).toBe(true);
    }
    expect(traitsOf(`COMMIT /* ${'x'.repeat(3000)} */`).controlsTransaction).toBe(true);
  }
});
