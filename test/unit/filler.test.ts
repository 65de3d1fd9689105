import { Namespace } from '../../src/cache/cache-key';
import { resolveCacheOptions } from '../../src/cache/cache-options';
import { newCounters } from '../../src/cache/cache-stats';
import { NOTHING } from '../../src/cache/entry';
import { Filler, type FillGround } from '../../src/cache/filler';
import { Packer } from '../../src/cache/packer';
import { silentLogger } from '../../src/logger';
import { ManualClock } from '../support/manual-clock';

const HOUR = 3_600_000;

describe('what makes values', () => {
  /** Over a table that takes whatever it is given. */
  function make() {
    const clock = new ManualClock();
    const done: string[] = [];
    const noted = (name: string) => async () => {
      done.push(name);
      return true;
    };
    const table = {
      lease: noted('lease'),
      renew: async () => true,
      fill: noted('fill'),
      fillSeen: noted('fill'),
      giveUp: noted('giveUp'),
    };
    const counters = newCounters();
    const ground = {
      ...{ table, clock, counters, logger: silentLogger, packer: new Packer(undefined) },
      reader: { look: async () => NOTHING },
      writer: { basis: async () => ({ epoch: 0, tags: [], tagSum: 0 }) },
      missOnError: () => false,
      onStored: () => {},
    };
    const wish = (takes: number) => ({
      key: new Namespace('').key('k'),
      tags: [],
      terms: resolveCacheOptions({}).calls.usual,
      factory: async () => {
        await clock.advance(takes);
        return 'made';
      },
    });
    return { filler: new Filler(ground as unknown as FillGround), wish, counters, done, clock };
  }

  it('stores a value that took eleven hours to make', async () => {
    const { filler, wish, counters, done } = make();
    await filler.get(wish(11 * HOUR));
    await filler.inTransaction(wish(11 * HOUR));
    expect(done).toEqual(['lease', 'fill', 'fill']);
    expect(counters.refused).toBe(0);
  });

  it('gives, and does not store, one that took thirteen: tags it was made under may be forgotten by then', async () => {
    const { filler, wish, counters, done, clock } = make();
    const filled = await filler.get(wish(13 * HOUR));
    expect(filled?.packed.bytes.toString()).toBe('made');
    expect(filled?.freshFor).toBe(0);
    expect((await filler.inTransaction(wish(13 * HOUR)))?.bytes.toString()).toBe('made');
    expect(done).toEqual(['lease', 'giveUp']);
    expect(counters.refused).toBe(2);
    expect(clock.openTimers).toBe(0);
  });
});
