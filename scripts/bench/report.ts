import { writeFileSync } from 'node:fs';
import type { Part } from './part';
import { told, type Measurement } from './result';
import type { Setting } from './setting';
import type { Spread } from './spread';

const WIDTHS = [56, 7, 18, 18, 18, 32];

function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return '';
  return `${told(spread.median)} [${told(spread.min)}–${told(spread.max)}]`;
}

/** The first and the last two columns begin where they begin, the numbers end where they end. */
function line(...cells: readonly string[]): string {
  return cells
    .map((cell, at) => {
      const width = WIDTHS[at] ?? 0;
      return at === 0 || at > 4 ? cell.padEnd(width) : cell.padStart(width);
    })
    .join(' ')
    .trimEnd();
}

/** Prints as it goes, since a run takes minutes, and keeps all for the file. */
export class Report {
  readonly #setting: Setting;
  readonly #rows: Measurement[] = [];

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  /** What the numbers were measured with, and how to read them. */
  head(blocks: number): void {
    const { node, versions, commit, server, flushLogAtCommit, processor, load } = this.#setting;
    const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
    console.log(`${packages.join(', ')} (${commit}), Node ${node}`);
    console.log(`${server}, innodb_flush_log_at_trx_commit=${flushLogAtCommit}, TCP loopback`);
    console.log(`${processor}, load ${load.map((one) => one.toFixed(2)).join(' ')}`);
    console.log(
      `Ours by the base, of ${blocks} blocks: median [min–max]. Figures (operations per second and ` +
        'CPU of this process per operation, ours : base) depend on the machine and its load.',
    );
    console.log(line('', 'at once', 'ratio', 'CPU', 'base : itself', ' bar', 'figures'));
  }

  begin({ name, summary }: Part): void {
    console.log(`\n${name}: ${summary}`);
  }

  row(row: Measurement): void {
    this.#rows.push(row);
    const bars = row.bars.map(({ text, kept }) => `${kept ? '✓' : '✗'} ${text}`).join(', ');
    const at = row.concurrency.toLocaleString('en');
    const [ratio, cpu, noise] = [row.ratio, row.cpu, row.noise].map(spreadText);
    console.log(line(row.name, at, ratio ?? '', cpu ?? '', noise ?? '', ` ${bars}`, row.figures));
  }

  /** How many of the bars were reached. */
  foot(): void {
    const bars = this.#rows.flatMap((row) => row.bars);
    const kept = bars.filter((bar) => bar.kept).length;
    console.log(`\n${kept} of ${bars.length} bars reached`);
  }

  write(file: string): void {
    const text = JSON.stringify({ setting: this.#setting, rows: this.#rows }, undefined, 2);
    writeFileSync(file, `${text}\n`);
    console.log(`written to ${file}`);
  }
}
