import { FAULTS, MOMENTS, WORK, WORKS, pointless, type Cell } from './fault-cells';
import type { Observed } from './fault-run';

/** What every server did with every cell, in words as short as a table needs. */
export class FaultTable {
  readonly #seen = new Map<string, Set<string>>();

  note(cell: Cell, { outcome, written }: Observed): void {
    const key = keyOf(cell);
    const short = outcome.replace(/^ERR_(STATEMENT|TRANSACTION)_TIMEOUT$/, 'timeout');
    const seen = this.#seen.get(key) ?? new Set();
    const rows = WORK[cell.work].writes === 0 ? '' : ` ${written}`;
    this.#seen.set(key, seen.add(short + rows));
  }

  toString(): string {
    const head = ['moment', 'work', ...FAULTS];
    const reasons = new Map<string, string[]>();
    const lines = MOMENTS.flatMap((moment) =>
      WORKS.flatMap((work) => {
        const cells = FAULTS.map((fault): Cell => ({ moment, work, fault }));
        for (const cell of cells) {
          const reason = pointless(cell);
          if (reason === undefined) continue;
          const left = reasons.get(reason) ?? [];
          reasons.set(reason, left);
          const what = reason.includes('restart') ? `${moment} × restart` : `${moment} × ${work}`;
          if (!left.includes(what)) left.push(what);
        }
        if (cells.every((cell) => pointless(cell) !== undefined)) return [];
        return [[moment, work, ...cells.map((cell) => this.#cell(cell))]];
      }),
    );
    const table = [head, ...lines];
    const widths = head.map((_, column) =>
      Math.max(...table.map((line) => line[column]?.length ?? 0)),
    );
    const text = table.map((line) =>
      line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | '),
    );
    const notes = [...reasons].map(([reason, left]) => `– ${left.join(', ')}: ${reason}`);
    return [...text, ...notes, ''].map((line) => line.trimEnd()).join('\n');
  }

  #cell(cell: Cell): string {
    if (pointless(cell) !== undefined) return '–';
    return [...(this.#seen.get(keyOf(cell)) ?? ['not run'])].sort().join(', ');
  }
}

function keyOf({ moment, work, fault }: Cell): string {
  return `${moment}/${work}/${fault}`;
}
