import { codeOf } from './detail-book';
import type { Watched } from './watch';

/** Whether this process can work with its databases. */
export interface HealthReport {
  /** The process answers. */
  readonly live: true;
  /** Every database, or of several at least one, can be worked with. */
  readonly ready: boolean;
  /** It can be worked with, but not all is well. */
  readonly degraded: boolean;
  /** What is not well: codes and plain words, without a name or a value. Empty while all is well. */
  readonly reasons: readonly string[];
}

/** What is to be seen without asking, and asking would make it worse. */
export const FULL: HealthReport = Object.freeze({
  live: true,
  ready: true,
  degraded: true,
  reasons: ['every connection is in use'],
});

/** How long a database may take to answer, in ms. */
const PATIENCE = 1000;

/** How long an answer is good for, in ms: whoever asks often does not ask the databases as often. */
const GOOD_FOR = 1000;

/** Of many databases so many are asked, by turns. */
const ASKED_AT_ONCE = 8;

/** Asks databases whether they can be worked with. */
export class HealthCheck {
  readonly #look: () => readonly Watched[];
  readonly #now: () => number;
  #report: Promise<HealthReport> | undefined;
  #askedAt = -Infinity;
  #turn = 0;

  constructor(look: () => readonly Watched[], now: () => number) {
    this.#look = look;
    this.#now = now;
  }

  /** Never rejects. */
  report(): Promise<HealthReport> {
    const now = this.#now();
    if (this.#report === undefined || now - this.#askedAt > GOOD_FOR) {
      this.#askedAt = now;
      this.#report = this.#ask();
    }
    return this.#report;
  }

  async #ask(): Promise<HealthReport> {
    const asked = this.#next();
    const answers = await Promise.all(
      asked.map(({ database }) =>
        database.health({ within: PATIENCE }).catch((error: unknown) => ({
          ready: false,
          reasons: [codeOf(error)],
        })),
      ),
    );
    const ready = answers.length === 0 || answers.some((answer) => answer.ready);
    const reasons = summed(
      answers.flatMap((answer) => answer.reasons),
      answers.length,
    );
    return { live: true, ready, degraded: ready && reasons.length > 0, reasons };
  }

  #next(): readonly Watched[] {
    const all = this.#look();
    if (all.length <= ASKED_AT_ONCE) return all;
    const from = this.#turn % all.length;
    this.#turn += ASKED_AT_ONCE;
    return [...all.slice(from), ...all].slice(0, ASKED_AT_ONCE);
  }
}

/** The same reason of several databases once, with their number. */
function summed(reasons: readonly string[], asked: number): string[] {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) =>
    asked === 1 ? reason : `${reason} (${count} of ${asked} databases that were asked)`,
  );
}
