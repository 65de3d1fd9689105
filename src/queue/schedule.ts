import { CronExpressionParser } from 'cron-parser';
import { detached } from '../async-context';
import type { Timer } from '../clock';
import { InvalidArgumentError } from '../errors';
import { errorFields } from '../logger';
import type { QueueAccess } from './queue-access';
import type { ScheduleTable } from './schedule-table';

/** The clocks are compared again after so long, in ms: they drift. */
const LONGEST_SLEEP = 600_000;
/** The pause after a failure, in ms. */
const PAUSE = 1000;

/** @throws {InvalidArgumentError} for what is no cron expression, or no time zone. */
function moments(cron: string, timezone: string, from: Date): { previous: Date; next: Date } {
  const read = () => CronExpressionParser.parse(cron, { currentDate: from, tz: timezone });
  try {
    return { previous: read().prev().toDate(), next: read().next().toDate() };
  } catch (cause) {
    throw new InvalidArgumentError('cron', 'must be a cron expression, in a known time zone', {
      cause,
    });
  }
}

/**
 * Fires at the moments of a cron expression, in one of all processes that have the same schedule. The
 * server's clock decides. Of moments at which no process was there, the last one is made up for.
 */
export class Schedule {
  readonly #access: QueueAccess;
  readonly #table: ScheduleTable;
  readonly #name: Buffer;
  readonly #cron: string;
  readonly #timezone: string;
  readonly #fire: () => Promise<unknown>;
  #timer: Timer | undefined;
  #running: Promise<void>;
  #stopped = false;

  /** @internal @param fire takes part in the transaction in which the moment is taken. */
  constructor(
    access: QueueAccess,
    table: ScheduleTable,
    when: { readonly name: Buffer; readonly cron: string; readonly timezone: string },
    fire: () => Promise<unknown>,
  ) {
    this.#access = access;
    this.#table = table;
    this.#name = when.name;
    this.#cron = when.cron;
    this.#timezone = when.timezone;
    this.#fire = fire;
    moments(this.#cron, this.#timezone, access.host.clock.date());
    this.#running = detached(() => this.#tick('begin'));
  }

  /** @internal */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Fires no more in this process; others go on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Never rejects. */
  async #tick(first: 'begin' | 'go on'): Promise<void> {
    let sleep = PAUSE;
    try {
      const now = await this.#table.now();
      // One of which this very moment is a part was there a moment ago.
      const just = new Date(now.getTime() + 1);
      const { previous, next } = moments(this.#cron, this.#timezone, just);
      if (first === 'begin') await this.#table.begin(this.#name, previous);
      await this.#access.atomic(async () => {
        if (await this.#table.take(this.#name, previous)) await this.#fire();
      });
      sleep = Math.min(LONGEST_SLEEP, next.getTime() - now.getTime());
      first = 'go on';
    } catch (error) {
      this.#access.host.logger.warn(
        errorFields(error),
        'a schedule was not looked at; it is tried again',
      );
    }
    if (this.#stopped) return;
    const again = first;
    this.#timer = this.#access.host.clock.setTimer(
      () => {
        this.#running = this.#tick(again);
      },
      Math.max(1, sleep),
    );
  }
}
