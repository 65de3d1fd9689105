import type { Terminal, Tone } from './terminal';

export type Cell = string | { readonly text: string; readonly tone: Tone };

export interface Column {
  readonly head: string;
  /** Numbers stand to the right. */
  readonly right?: boolean;
}

const textOf = (cell: Cell): string => (typeof cell === 'string' ? cell : cell.text);
/** Characters, not UTF-16 units. */
const widthOf = (text: string): number => Array.from(text).length;

function fill(text: string, width: number, right: boolean): string {
  const blank = ' '.repeat(Math.max(0, width - widthOf(text)));
  return right ? blank + text : text + blank;
}

/** Rows under heads, aligned; two spaces between. */
export function table(
  terminal: Pick<Terminal, 'paint'>,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): string {
  const widths = columns.map(({ head }, at) =>
    Math.max(widthOf(head), ...rows.map((row) => widthOf(textOf(row[at] ?? '')))),
  );
  const line = (cells: readonly Cell[]): string =>
    cells
      .map((cell, at) => {
        const isLast = at === columns.length - 1;
        const { right = false } = columns[at] ?? {};
        const text = textOf(cell);
        const filled = isLast && !right ? text : fill(text, widths[at] ?? 0, right);
        return typeof cell === 'string' ? filled : terminal.paint(filled, cell.tone);
      })
      .join('  ')
      .trimEnd();
  const heads = columns.map(({ head }): Cell => ({ text: head, tone: 'faint' }));
  return [heads, ...rows].map((row) => `${line(row)}\n`).join('');
}

/** Words on lines of at most `width`; every line but the first is indented. */
export function wrap(text: string, width: number, indent: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const room = width - indent;
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`);
}

/** Terms and what they mean, aligned and wrapped; indented by two. */
export function definitions(
  entries: readonly (readonly [term: string, meaning: string])[],
  width: number,
): string {
  const room = Math.min(34, Math.max(...entries.map(([term]) => term.length)) + 2);
  return entries
    .map(([term, meaning]) => {
      const begin = `  ${fill(term, room, false)}`;
      const lead = term.length >= room ? `  ${term}\n${' '.repeat(room + 2)}` : begin;
      return `${lead}${wrap(meaning, width, room + 2)}\n`;
    })
    .join('');
}
