import { withoutLiterals } from './sql-lexer';
import { traitsOf } from './sql-text';

/** How a text wants a transaction to be begun. */
export interface ControlMode {
  readonly isolationLevel?: IsolationText;
  readonly readOnly?: boolean;
  readonly consistentSnapshot?: true;
}

type IsolationText = 'READ UNCOMMITTED' | 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';

/** What a statement that steers a transaction asks for. Names are folded as the server compares them. */
export type TransactionControl =
  | { readonly verb: 'begin' | 'set'; readonly mode: ControlMode }
  | { readonly verb: 'commit' | 'rollback' | 'unknown' }
  | { readonly verb: 'savepoint' | 'release' | 'rollbackTo'; readonly name: string };

const UNKNOWN: TransactionControl = { verb: 'unknown' };

/* A bare name that begins with a digit was read as a number, and could be any. */
const NAME = '(`(?:[^`]|``)+`|[^\\s`?]+)';
const BEGIN = /^BEGIN(?: WORK)?$/i;
const START = /^START TRANSACTION(?: (.+))?$/i;
const COMMIT = /^COMMIT(?: WORK)?$/i;
const ROLLBACK = /^ROLLBACK(?: WORK)?$/i;
const SET = /^SET TRANSACTION (.+)$/i;

const NAMING = [
  ['savepoint', new RegExp(`^SAVEPOINT ${NAME}$`, 'i')],
  ['release', new RegExp(`^RELEASE SAVEPOINT ${NAME}$`, 'i')],
  ['rollbackTo', new RegExp(`^ROLLBACK(?: WORK)? TO (?:SAVEPOINT )?${NAME}$`, 'i')],
] as const;

const CHARACTERISTIC =
  /^(?:ISOLATION LEVEL (READ UNCOMMITTED|READ COMMITTED|REPEATABLE READ|SERIALIZABLE)|(WITH CONSISTENT SNAPSHOT)|(READ ONLY)|(READ WRITE))(?: ?, ?| |$)/i;

/** Commas are taken or left: some builders leave them out. `undefined` where a part is not known. */
function modeOf(text: string): ControlMode | undefined {
  let mode: ControlMode = {};
  let rest = text;
  while (rest !== '') {
    const found = CHARACTERISTIC.exec(rest);
    if (found === null) return undefined;
    const [whole, level, snapshot, readOnly, readWrite] = found;
    if (level !== undefined) {
      mode = { ...mode, isolationLevel: level.toUpperCase() as IsolationText };
    }
    if (snapshot !== undefined) mode = { ...mode, consistentSnapshot: true };
    if (readOnly !== undefined || readWrite !== undefined) {
      mode = { ...mode, readOnly: readOnly !== undefined };
    }
    rest = rest.slice(whole.length);
  }
  return mode;
}

function folded(name: string): string {
  const plain = name.startsWith('`') ? name.slice(1, -1).replaceAll('``', '`') : name;
  return plain.toLowerCase();
}

/**
 * What a text asks of the transaction it is sent in; `undefined` for one that asks nothing. `unknown`
 * is control all the same, in a form that cannot be told for sure: XA, SET autocommit, AND CHAIN, an
 * executable comment.
 */
export function controlOf(sql: string): TransactionControl | undefined {
  const { controlsTransaction, dirtiesSession } = traitsOf(sql);
  if (!controlsTransaction && !dirtiesSession) return undefined;
  const bare = withoutLiterals(sql)
    .replace(/\s+/g, ' ')
    .replace(/[ ;]+$/, '')
    .trim();
  const set = SET.exec(bare)?.[1];
  if (set !== undefined) {
    const mode = modeOf(set);
    // What the server does not know either, it says best itself.
    return mode === undefined ? undefined : { verb: 'set', mode };
  }
  if (!controlsTransaction) return undefined;
  if (/\/\*M?!/i.test(sql)) return UNKNOWN;
  return begun(bare) ?? ended(bare) ?? UNKNOWN;
}

function begun(bare: string): TransactionControl | undefined {
  if (BEGIN.test(bare)) return { verb: 'begin', mode: {} };
  const start = START.exec(bare);
  const mode = start === null ? undefined : modeOf(start[1] ?? '');
  return mode === undefined ? undefined : { verb: 'begin', mode };
}

function ended(bare: string): TransactionControl | undefined {
  if (COMMIT.test(bare)) return { verb: 'commit' };
  if (ROLLBACK.test(bare)) return { verb: 'rollback' };
  for (const [verb, pattern] of NAMING) {
    const name = pattern.exec(bare)?.[1];
    if (name !== undefined) return { verb, name: folded(name) };
  }
  return undefined;
}
