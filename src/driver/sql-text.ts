import { withoutLiterals, type CommentReading } from './sql-lexer';

/**
 * What can be told from a statement's text without knowing its grammar. Nothing here decides
 * whether a statement may be run twice: that is never guessed from text.
 */
export interface SqlTraits {
  /** Begins, ends or steers a transaction: BEGIN, COMMIT, SAVEPOINT, XA, SET autocommit… */
  readonly controlsTransaction: boolean;
  /** May carry such a statement out of our sight: EXECUTE, a compound statement, completion_type… */
  readonly hidesControl: boolean;
  /** May leave something behind in the session. */
  readonly dirtiesSession: boolean;
  /** A read or a plain change of rows, which ends no transaction. */
  readonly plainDml: boolean;
  /** A read, unless a function that it calls writes. */
  readonly read: boolean;
}

function bareText(sql: string, reading: CommentReading): string {
  return withoutLiterals(sql, reading).replace(/\s+/g, ' ').trim();
}

const LOGGED_LENGTH = 4000;

/** Text whose literals cannot be told for sure: by SQL mode or version a server reads it otherwise. */
const AMBIGUOUS = /\\|\/\*M?!/i;

/**
 * The statement with every literal replaced by `?`, comments removed and white space folded: fit
 * for a log. Names of tables and columns stay. Of a text with a backslash or an executable comment,
 * where literals depend on the server's mode and version, only the verb is left.
 */
export function normalizeSql(sql: string): string {
  // A log needs no more; and the folding below would exhaust the stack over a list of millions.
  const text = sql.length > LOGGED_LENGTH ? sql.slice(0, LOGGED_LENGTH) : sql;
  const bare = bareText(text, 'run');
  if (AMBIGUOUS.test(text)) return `${/^[a-z]+/i.exec(bare)?.[0] ?? ''} …`.trim();
  return bare
    .replace(/\(\s*\?(?:\s*,\s*\?)+\s*\)/g, '(?, …)')
    .replace(/(\(\?, …\))(?:\s*,\s*\(\?, …\))+/g, '$1, …');
}

const CONTROL_VERBS =
  'BEGIN|START\\s+TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE\\s+SAVEPOINT|XA';

/* MariaDB runs the rest under other settings. */
const SET_STATEMENT = '(?:SET\\s+STATEMENT\\b.*\\bFOR\\s+)?';

/** An assignment to a system variable; `@name` is a variable of the user's like any other. */
const assigns = (name: string): string => `SET\\b.*(?<!\\w)(?<!(?<!@)@)${name}\`?\\s*:?=`;

const CONTROL = new RegExp(
  `^[\\s(;]*(?:${SET_STATEMENT}(?:${CONTROL_VERBS})\\b|${assigns('AUTOCOMMIT')})`,
  'i',
);

const LABELS = '\\w+\\s*:\\s*(?:BEGIN|WHILE|LOOP|REPEAT|FOR)';

/* Texts within the text, MariaDB's compound statements (labelled ones too), and MySQL's
 * CREATE TABLE … START TRANSACTION: the status flag afterwards shows nothing of what they did. */
const HIDDEN_CONTROL = new RegExp(
  `^[\\s(;]*(?:${SET_STATEMENT}(?:EXECUTE|IF|CASE|WHILE|LOOP|REPEAT|FOR|${LABELS})\\b|` +
    `CREATE\\b.*\\bSTART\\s+TRANSACTION\\b|${assigns('COMPLETION_TYPE')})`,
  'i',
);

/* What plain reads and changes may leave behind, and no server reports. */
const DIRTYING = /:=|\bINTO\s*@|\bGET_LOCK\b/i;

const PLAIN_DML =
  /^[\s(;]*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|VALUES|TABLE|EXPLAIN|DESC|DESCRIBE|SHOW|DO)\b/i;

const READ = /^[\s(;]*(?:SELECT|WITH|VALUES|TABLE|EXPLAIN|DESC|DESCRIBE|SHOW)\b/i;

/* What a text that begins like a read may do all the same; FOR UPDATE only locks. */
const WRITING = /\b(?:INSERT|(?<!\bFOR )UPDATE|DELETE|REPLACE|CALL|INTO|NEXTVAL|SETVAL|NEXT)\b/i;

/* Of transaction control, what leaves the session as it was. */
const PLAIN_CONTROL = /^[\s(;]*(?:BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b/i;

/** A statement is asked about several times on its way: a long one is read once. */
let lastLong: { readonly sql: string; readonly traits: SqlTraits } | undefined;

const remembered = new Map<string, SqlTraits>();
const REMEMBERED_AT_MOST = 1000;
const REMEMBERED_LENGTH = 2000;

function read(bare: string): SqlTraits {
  const plainDml = PLAIN_DML.test(bare);
  return {
    controlsTransaction: CONTROL.test(bare),
    hidesControl: HIDDEN_CONTROL.test(bare),
    // Whatever is neither rows nor transactions is taken to change the session: a list of what does
    // would never be complete.
    dirtiesSession: DIRTYING.test(bare) || !(plainDml || PLAIN_CONTROL.test(bare)),
    plainDml,
    read: READ.test(bare) && !WRITING.test(bare) && !DIRTYING.test(bare),
  };
}

/** The worse of two readings, where servers of different versions differ. */
function either(one: SqlTraits, other: SqlTraits): SqlTraits {
  return {
    controlsTransaction: one.controlsTransaction || other.controlsTransaction,
    hidesControl: one.hidesControl || other.hidesControl,
    dirtiesSession: one.dirtiesSession || other.dirtiesSession,
    plainDml: one.plainDml && other.plainDml,
    read: one.read && other.read,
  };
}

/** The traits of a text; those of short texts are remembered, since programs repeat theirs. */
export function traitsOf(sql: string): SqlTraits {
  const short = sql.length <= REMEMBERED_LENGTH;
  const known = short ? remembered.get(sql) : lastLong?.sql === sql ? lastLong.traits : undefined;
  if (known !== undefined) return known;
  const run = read(bareText(sql, 'run'));
  const traits = /\/\*M?!/i.test(sql) ? either(run, read(bareText(sql, 'skipped'))) : run;
  if (short) {
    if (remembered.size >= REMEMBERED_AT_MOST) remembered.clear();
    remembered.set(sql, traits);
  } else {
    lastLong = { sql, traits };
  }
  return traits;
}
