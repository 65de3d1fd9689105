import { endOf, quotedEnd } from './sql-lexer';

/*
 * Where a statement's placeholders are is not one question: `execute` lets the server find them,
 * `query` lets the driver's `format`, whose grammar is smaller; and servers of different versions
 * differ over executable comments. A place is safe where all of them agree.
 */

/** What one reader takes to be code. */
export interface Reading {
  /** The statement with quoted texts, quoted names and comments blanked; every offset is kept. */
  readonly bare: string;
  /** Whether the text ends inside a quote or a comment, a comment of one line included. */
  readonly open: boolean;
}

/** Where the literal or comment that begins at `at` ends; `at` for none. */
type Grammar = (sql: string, at: number) => number;

const MAY_BEGIN = /['"`#]|--|\/\*/g;

function lineCommentEnd(sql: string, at: number, after: RegExp): number {
  return after.test(sql.charAt(at + 2)) ? endOf(sql, '\n', at) : at;
}

const server =
  (runsComments: boolean): Grammar =>
  (sql, at) => {
    const char = sql.charAt(at);
    if (char === '#') return endOf(sql, '\n', at);
    if (char === '-') return lineCommentEnd(sql, at, /[\x00-\x20\x7f]/);
    if (char !== '/') return quotedEnd(sql, at);
    const code = runsComments && /^\/\*(?:M?!|\+)/i.test(sql.slice(at, at + 4));
    return code ? at : endOf(sql, '*/', at + 2);
  };

/* As `findNextPlaceholder` of sql-escaper has it: neither double quotes nor `#` mean anything. */
const driver: Grammar = (sql, at) => {
  const char = sql.charAt(at);
  if (char === "'" || char === '`') return quotedEnd(sql, at);
  if (char === '-') return lineCommentEnd(sql, at, /[\x00-\x20]/);
  if (char !== '/' || /[!+]/.test(sql.charAt(at + 2))) return at;
  return endOf(sql, '*/', at + 2);
};

function read(sql: string, grammar: Grammar): Reading {
  // What reaches into the added blank was not closed by the text itself.
  const text = `${sql} `;
  const parts: string[] = [];
  let done = 0;
  let from = 0;
  for (;;) {
    MAY_BEGIN.lastIndex = from;
    const at = MAY_BEGIN.exec(text)?.index;
    if (at === undefined) break;
    const end = grammar(text, at);
    from = Math.max(end, at + 1);
    if (end > at) {
      parts.push(text.slice(done, at), ' '.repeat(end - at));
      done = end;
    }
  }
  parts.push(text.slice(done));
  return { bare: parts.join('').slice(0, -1), open: done > sql.length };
}

const EXECUTABLE = /\/\*(?:M?!|\+)/i;
const READ_DIFFERENTLY = /["#]|--\x7f|\/\*(?:M?!|\+)/i;

/** As servers read it: those that skip executable comments and hints, then those that run them. */
export function serverReadings(sql: string): readonly [Reading, ...Reading[]] {
  const skipping = read(sql, server(false));
  return EXECUTABLE.test(sql) ? [skipping, read(sql, server(true))] : [skipping];
}

/** As the driver's `format` reads it; undefined where that is as every server does. */
export function driverReading(sql: string): Reading | undefined {
  return READ_DIFFERENTLY.test(sql) ? read(sql, driver) : undefined;
}
