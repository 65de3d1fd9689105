import { withoutLiterals } from './sql-lexer';

/**
 * What can be told from a statement's text without knowing its grammar. Nothing here decides
 * whether a statement may be run twice: that is never guessed from text.
 */
export interface SqlTraits {
  /** Begins, ends or steers a transaction: BEGIN, COMMIT, SAVEPOINT, XA, SET autocommit… */
  readonly controlsTransaction: boolean;
  /** Changes session state that no server reports. */
  readonly dirtiesSession: boolean;
  /** A read or a plain change of rows: of a kind that leaves the session as it was. */
  readonly plainDml: boolean;
}

/**
 * The statement with every literal replaced by `?`, comments removed and white space folded: fit
 * for a log. Names of tables and columns stay.
 */
export function normalizeSql(sql: string): string {
  return withoutLiterals(sql)
    .replace(/\s+/g, ' ')
    .replace(/\(\s*\?(?:\s*,\s*\?)+\s*\)/g, '(?, …)')
    .replace(/(\(\?, …\))(?:\s*,\s*\(\?, …\))+/g, '$1, …')
    .trim();
}

const CONTROL_VERBS =
  'BEGIN|START\\s+TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE\\s+SAVEPOINT|XA';

/* `SET STATEMENT … FOR …` is MariaDB's; `@autocommit` is a variable of the user's like any other. */
const CONTROL = new RegExp(
  `^[\\s(;]*(?:${CONTROL_VERBS}|SET\\s+STATEMENT\\b.*\\bFOR\\s+(?:${CONTROL_VERBS})|` +
    'SET\\b.*(?<![^@]@)\\bAUTOCOMMIT)\\b',
  'i',
);

/* The published list: what neither flavour reports through session tracking. */
const DIRTYING =
  /:=|\bINTO\s*@|\bGET_LOCK\b|\bLOCK\s+TABLES?\b|\bWITH\s+READ\s+LOCK\b|\bHANDLER\b.*\bOPEN\b|\bSET\s+TRANSACTION\b/i;

const PLAIN_DML =
  /^[\s(;]*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|VALUES|TABLE|EXPLAIN|DESC|SHOW|DO)\b/i;

const remembered = new Map<string, SqlTraits>();
const REMEMBERED_AT_MOST = 1000;
const REMEMBERED_LENGTH = 2000;

/** The traits of a text; those of short texts are remembered, since programs repeat theirs. */
export function traitsOf(sql: string): SqlTraits {
  const known = remembered.get(sql);
  if (known !== undefined) return known;
  const bare = normalizeSql(sql);
  const traits: SqlTraits = {
    controlsTransaction: CONTROL.test(bare),
    dirtiesSession: DIRTYING.test(bare),
    plainDml: PLAIN_DML.test(bare),
  };
  if (sql.length <= REMEMBERED_LENGTH) {
    if (remembered.size >= REMEMBERED_AT_MOST) remembered.clear();
    remembered.set(sql, traits);
  }
  return traits;
}
