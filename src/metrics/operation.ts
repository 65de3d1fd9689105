/** What a statement may begin with; anything else counts as one, so that labels stay few. */
const KNOWN = new Set(
  (
    'SELECT INSERT UPDATE DELETE REPLACE WITH CALL DO SET USE SHOW EXPLAIN DESCRIBE BEGIN START COMMIT ' +
    'ROLLBACK SAVEPOINT RELEASE LOCK UNLOCK CREATE ALTER DROP TRUNCATE RENAME ANALYZE OPTIMIZE CHECK ' +
    'GRANT REVOKE KILL FLUSH LOAD VALUES TABLE EXECUTE PREPARE XA'
  ).split(' '),
);

/**
 * White space, brackets and comments may stand before it. Each of these can be read in one way only: where
 * a comment may also be taken to reach to the end of the next one, a dozen of them take seconds to refuse.
 */
const FIRST_WORD =
  /^(?:[\s(]|\/\*(?!!)[^*]*\*+(?:[^*/][^*]*\*+)*\/|--[ \t][^\n]*\n|#[^\n]*\n)*([a-z]+)/i;

const remembered = new Map<string, string>();
const REMEMBERED_AT_MOST = 1000;
const REMEMBERED_LENGTH = 2000;

/** The first word of a statement in capitals; `OTHER` where it is none of the usual. */
export function operationOf(sql: string): string {
  const short = sql.length <= REMEMBERED_LENGTH;
  const known = short ? remembered.get(sql) : undefined;
  if (known !== undefined) return known;
  const word = FIRST_WORD.exec(short ? sql : sql.slice(0, REMEMBERED_LENGTH))?.[1]?.toUpperCase();
  const operation = word !== undefined && KNOWN.has(word) ? word : 'OTHER';
  if (short) {
    if (remembered.size >= REMEMBERED_AT_MOST) remembered.clear();
    remembered.set(sql, operation);
  }
  return operation;
}
