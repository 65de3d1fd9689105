interface Kept {
  readonly promise: string;
  readonly kept: boolean;
  readonly measured: string;
}

/** What is said on the way, and what it comes to: the measurements and the promises, kept or broken. */
export class Report {
  readonly #promises: Kept[] = [];
  #chapters = 0;

  /** Begins a part of the demo: a headline, and in a sentence or two what is being shown. */
  chapter(title: string, explanation: string): void {
    console.log(`\n${++this.#chapters}. ${title}`);
    this.say(explanation);
  }

  say(text: string): void {
    for (const line of wrap(text, 96)) console.log(`  ${line}`);
  }

  /** Notes whether a promise was kept, with the number it is judged by. */
  promise(promise: string, kept: boolean, measured: string | number): void {
    this.#promises.push({ promise, kept, measured: String(measured) });
  }

  /** Prints rows with the first column left and the others right aligned; the first row is the head. */
  table(rows: readonly (readonly (string | number)[])[]): void {
    const cells = rows.map((row) =>
      row.map((cell) => (typeof cell === 'number' ? told(cell) : cell)),
    );
    const widths = (cells[0] ?? []).map((_, column) =>
      Math.max(...cells.map((row) => (row[column] ?? '').length)),
    );
    cells.forEach((row, index) => {
      const line = row.map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      });
      console.log(`  ${line.join('   ').trimEnd()}`);
      if (index === 0) console.log(`  ${widths.map((width) => '─'.repeat(width)).join('───')}`);
    });
  }

  /** Prints every promise with ✓ or ✗, and returns those that were broken. */
  verdict(): readonly string[] {
    for (const { promise, kept, measured } of this.#promises) {
      console.log(`  ${kept ? '✓' : '✗'} ${promise} (${measured})`);
    }
    return this.#promises.filter(({ kept }) => !kept).map(({ promise }) => promise);
  }
}

/** A number as people read it: whole ones with thousands marked, others with one digit. */
function told(number: number): string {
  const digits = Number.isInteger(number) ? 0 : 1;
  return number.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
