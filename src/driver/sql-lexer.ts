/*
 * The little of SQL's lexical grammar that is needed to tell words from values. A loop and not one
 * regular expression: statements may be megabytes, and an expression would exhaust its stack.
 */

const NOTABLE_IN_SINGLE = /['\\]/g;
const NOTABLE_IN_DOUBLE = /["\\]/g;
const BACKTICK = /`/g;

/** Where the quoted text that begins at `start` ends, exclusive. Unterminated: at the end of the text. */
export function quotedEnd(sql: string, start: number): number {
  const quote = sql.charAt(start);
  const notable = quote === "'" ? NOTABLE_IN_SINGLE : quote === '"' ? NOTABLE_IN_DOUBLE : BACKTICK;
  notable.lastIndex = start + 1;
  while (notable.test(sql)) {
    const next = notable.lastIndex;
    // A backslash, or the first one of a doubled quote: it and what follows are content.
    if (sql.charAt(next - 1) === quote && sql.charAt(next) !== quote) return next;
    notable.lastIndex = next + 1;
  }
  return sql.length;
}

/** Where `mark` ends, looked for from `from`; at the end of the text where there is none. */
export function endOf(sql: string, mark: string, from: number): number {
  const at = sql.indexOf(mark, from);
  return at < 0 ? sql.length : at + mark.length;
}

/** Runs of ordinary text: up to whatever may begin a comment, a quoted text or a number. */
const ORDINARY = /[^'"`#/*\-\d\w$\u0080-\uffff]+|[a-z_$\u0080-\uffff][\w$\u0080-\uffff]*/iy;
const NUMBER = /(?:0x[\da-f]+|0b[01]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)[\w$\u0080-\uffff]*/iy;
const EXECUTABLE_COMMENT = /\/\*M?!\d*/iy;
const LINE_COMMENT = /--(?=[\s\x00-\x1f]|$)/y;

function match(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : at;
}

/** How the content of an executable comment is read: servers differ by version. */
export type CommentReading = 'run' | 'skipped';

/**
 * The statement with every literal replaced by `?` and comments by a space. Executable comments
 * (those that begin with `/*!` or `/*M!`) are read as `reading` says: their content run, as text, or
 * skipped like that of any other comment. Quoted identifiers stay.
 */
export function withoutLiterals(sql: string, reading: CommentReading = 'run'): string {
  const parts: string[] = [];
  let insideExecutable = false;
  let at = 0;
  while (at < sql.length) {
    const ordinary = match(ORDINARY, sql, at);
    if (ordinary > at) {
      parts.push(sql.slice(at, ordinary));
      at = ordinary;
      continue;
    }
    const char = sql.charAt(at);
    if (char === "'" || char === '"') {
      parts.push('?');
      at = quotedEnd(sql, at);
    } else if (char === '`') {
      const end = quotedEnd(sql, at);
      parts.push(sql.slice(at, end));
      at = end;
    } else if (char >= '0' && char <= '9') {
      parts.push('?');
      at = Math.max(match(NUMBER, sql, at), at + 1);
    } else if (insideExecutable && sql.startsWith('*/', at)) {
      insideExecutable = false;
      parts.push(' ');
      at += 2;
    } else {
      const mark = reading === 'run' ? match(EXECUTABLE_COMMENT, sql, at) : at;
      if (mark > at) insideExecutable = true;
      const end = mark > at ? mark : commentEnd(sql, at);
      parts.push(end > at ? ' ' : char);
      at = Math.max(end, at + 1);
    }
  }
  return parts.join('');
}

/** Where the comment that begins here ends; `at` for none. */
function commentEnd(sql: string, at: number): number {
  if (sql.charAt(at) === '#') return endOf(sql, '\n', at);
  if (sql.startsWith('/*', at)) return endOf(sql, '*/', at + 2);
  return match(LINE_COMMENT, sql, at) > at ? endOf(sql, '\n', at) : at;
}
