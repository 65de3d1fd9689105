import { Presets, SingleBar } from 'cli-progress';

/**
 * A line that is redrawn in place on a terminal, and printed once a second into a pipe or a CI log.
 * `stop()` gives the cursor back; so does Ctrl-C.
 */
export class LiveLine {
  readonly #bar: SingleBar;

  /** @param format in cli-progress's words: `{bar} {percentage} {value} {total} {text}`. */
  constructor(format: string, total: number, text = '') {
    this.#bar = new SingleBar(
      {
        format,
        barsize: 24,
        stream: process.stdout,
        hideCursor: true,
        gracefulExit: true,
        noTTYOutput: true,
        notTTYSchedule: 1000,
      },
      Presets.shades_classic,
    );
    this.#bar.start(total, 0, { text });
  }

  update(value: number, text = ''): void {
    this.#bar.update(value, { text });
  }

  stop(): void {
    this.#bar.stop();
  }
}
