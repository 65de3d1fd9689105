import { ResourceWatch, RetryingPooledDatabase, type ResourceWatchOptions } from '../../src/index';
import type { ResourceSources } from '../../src/monitor/resource-sources';
import { Threshold } from '../../src/monitor/threshold';
import { Periodic } from '../../src/periodic';
import { deferred } from '../support/deferred';
import { ManualClock, settled } from '../support/manual-clock';
import { RecordingLogger } from '../support/recording-logger';

const db = new RetryingPooledDatabase('mysql://nobody@127.0.0.1:1/none');

/** A watch over numbers that a test sets. */
class Trial {
  readonly clock = new ManualClock();
  readonly logger = new RecordingLogger();
  readonly watch: ResourceWatch;
  /** `!descriptors 0.9` for a warning, `.` for the recovery. */
  readonly told: string[] = [];
  looks = 0;
  open = 10;
  waiters = 0;
  connected = 10;
  limit = 10;
  failure: Error | undefined;

  constructor(options: ResourceWatchOptions = {}) {
    const sources: ResourceSources = {
      descriptors: async () => {
        this.looks++;
        if (this.failure !== undefined) throw this.failure;
        return { open: this.open, limit: 100, sockets: 5 };
      },
      pools: () => ({
        pools: 1,
        connections: 3,
        leases: 2,
        waiters: this.waiters,
        limit: this.limit,
      }),
      server: async () => ({
        full: false,
        connected: this.connected,
        limit: 200,
        accountLimit: 100,
      }),
    };
    const { clock, logger } = this;
    this.watch = new ResourceWatch(db, { logger, jitter: 0, ...options }, { clock, sources });
    this.watch.on('warning', ({ resource, value }) => this.told.push(`!${resource} ${value}`));
    this.watch.on('recovered', ({ resource, value }) => this.told.push(`.${resource} ${value}`));
  }
}

let trial: Trial;
const given = (options?: ResourceWatchOptions): Trial => (trial = new Trial(options));
afterEach(() => trial.watch.stop());

describe('a watch', () => {
  it('warns once for each crossing, and again only after the value was well below', async () => {
    const { watch, told } = given();
    for (const open of [79, 80, 95, 79, 73, 85, 71, 71, 80]) {
      trial.open = open;
      await watch.look();
    }
    expect(told).toEqual(['!descriptors 0.8', '.descriptors 0.71', '!descriptors 0.8']);
  });

  it('tells which resource, with numbers, and no more', async () => {
    const { watch, logger } = given();
    trial.waiters = 12;
    trial.connected = 170;
    const snapshot = await watch.look();
    expect(trial.told).toEqual(['!waiters 12', '!server 0.85']);
    expect(logger.of(/runs short/).map(({ level, fields }) => [level, fields])).toEqual(
      [
        ['waiters', 12, 10],
        ['server', 0.85, 0.8],
      ].map(([resource, value, warnAt]) => [
        'warn',
        {
          resource,
          value,
          warnAt,
          descriptors: 10,
          connections: 3,
          leases: 2,
          waiters: 12,
          fleet: 10,
          serverConnections: 170,
          serverLimit: 200,
        },
      ]),
    );
    expect(snapshot).toMatchObject({ server: { connected: 170 }, pools: { waiters: 12 } });
  });

  it('warns where all processes of the fleet together could exhaust the server', async () => {
    const few = given({ processes: 9 });
    await few.watch.look();
    expect(few.told).toEqual([]);
    const many = given({ processes: 10 });
    expect(await many.watch.look()).toMatchObject({ fleet: 100 });
    expect(many.told).toEqual(['!fleet 1']);
  });

  it('says so when it fails again and again, by the error’s type alone, and when it works again', async () => {
    const { watch, told, logger } = given();
    trial.failure = Object.assign(new TypeError('secret'), { code: 'EACCES' });
    const seen = [await watch.look(), await watch.look()];
    expect([seen.map(({ failures }) => failures), told]).toEqual([[1, 2], []]);
    expect((await watch.look()).descriptors.open).toBeUndefined();
    await watch.look();
    expect(told).toEqual(['!failures 3']);
    expect(logger.of(/runs short/)[0]?.fields).toMatchObject({
      errorType: 'TypeError',
      errorCode: 'EACCES',
    });
    trial.failure = undefined;
    await watch.look();
    expect(told).toEqual(['!failures 3', '.failures 0']);
    expect(JSON.stringify(logger.lines)).not.toContain('secret');
  });

  it('looks by itself between start() and stop(), and leaves no timer', async () => {
    const { watch, clock } = given({ interval: 1000 });
    watch.start();
    watch.start();
    await clock.advance(3500);
    expect(trial.looks).toBe(3);
    watch.stop();
    await clock.advance(10_000);
    expect([trial.looks, clock.openTimers]).toEqual([3, 0]);
    watch.start();
    await clock.advance(1000);
    expect(trial.looks).toBe(4);
  });

  it('looks once for all who ask at the same time', async () => {
    const { watch } = given();
    const [a, b] = await Promise.all([watch.look(), watch.look()]);
    expect([a === b, trial.looks]).toEqual([true, 1]);
  });

  it('goes on where a listener throws', async () => {
    const { watch, told } = given();
    watch.prependListener('warning', () => {
      throw new Error('of a listener');
    });
    trial.open = 90;
    trial.waiters = 10;
    // What a listener throws is thrown where nobody waits; here it would end the test run.
    const queue = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => {});
    await watch.look();
    expect(queue).toHaveBeenCalledTimes(2);
    queue.mockRestore();
    trial.open = trial.waiters = 0;
    await watch.look();
    expect(told).toEqual(['.descriptors 0', '.waiters 0']);
  });

  it.each([
    [{ interval: 0 }, 'interval'],
    [{ warnAt: { server: 2 } }, 'warnAt.server'],
    [{ warnAt: { nonsense: 2 } }, 'warnAt.nonsense'],
    [{ processes: 0 }, 'processes'],
    [{ server: 'x' }, 'server'],
    [null, 'options'],
  ])('refuses %p', (options, option) => {
    const make = (): unknown => new ResourceWatch(db, options as ResourceWatchOptions);
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_CONFIGURATION', option }));
  });

  it('refuses to watch what is no database', () => {
    expect(() => new ResourceWatch(5 as unknown as RetryingPooledDatabase)).toThrow(
      expect.objectContaining({ argument: 'watched' }),
    );
  });
});

describe('a threshold', () => {
  it('of 0 is never crossed, and an unknown value changes nothing', () => {
    expect(new Threshold(0, 0.1).note(1000)).toBeUndefined();
    const threshold = new Threshold(10, 0.1);
    expect([10, undefined, 9, 8.9].map((value) => threshold.note(value))).toStrictEqual([
      'crossed',
      undefined,
      undefined,
      'recovered',
    ]);
  });
});

describe('what comes again and again', () => {
  it('rests between its runs, each time for about as long, and never runs twice at a time', async () => {
    const clock = new ManualClock();
    const gate = deferred();
    const starts: number[] = [];
    const periodic = new Periodic({
      clock,
      every: 1000,
      jitter: 0.2,
      work: () => {
        starts.push(clock.now());
        return starts.length === 3 ? gate.promise : Promise.resolve();
      },
    });
    periodic.start();
    await clock.advance(20_000);
    expect(starts).toHaveLength(3);
    gate.resolve();
    await settled();
    await clock.advance(20_000);
    periodic.stop();
    const pauses = starts.map((at, i) => at - (starts[i - 1] ?? 0));
    pauses.splice(3, 1);
    for (const pause of pauses) {
      expect(pause).toBeGreaterThanOrEqual(800);
      expect(pause).toBeLessThanOrEqual(1200);
    }
    expect(new Set(pauses).size).toBeGreaterThan(1);
    expect(clock.openTimers).toBe(0);
  });
});
