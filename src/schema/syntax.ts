/** ER_PARSE_ERROR, and the words of TiDB and Vitess for what they do not carry out. */
const NOT_TAKEN = [1064, 1235, 8003];

/** Whether the server does not know what the statement is made of. It has done nothing, then. */
export function isNotTaken(error: unknown): boolean {
  return NOT_TAKEN.includes((error as { errno?: number }).errno ?? 0);
}
