import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Instruments } from '../../src/metrics/instruments';
import { InstrumentBook } from '../../src/monitor/instrument-book';
import type { Watched } from '../../src/monitor/watch';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

interface Thing {
  hits: number;
  size: number;
}

const OF = {
  kind: 'thing',
  counters: ['hits'],
  snapshot: ({ hits, size }: Thing) => ({ hits, size }),
};

/** A database of which only its instruments are asked. */
function database(name: string): { readonly watched: Watched; readonly instruments: Instruments } {
  const instruments = new Instruments();
  const watched = { name, database: { instruments: () => instruments.list() } };
  return { watched: watched as unknown as Watched, instruments };
}

const samples = (book: InstrumentBook): Record<string, [string, number][]> =>
  Object.fromEntries(
    [...book.metrics()].map(({ metric }) => [metric, [...book.samples(metric)] as never]),
  );

describe('the numbers of locks, caches and queues', () => {
  it('are summed up by kind; those that only grow have _total', () => {
    const { watched, instruments } = database('a');
    const parts = [
      { hits: 3, size: 10 },
      { hits: 4, size: 20 },
    ];
    for (const [at, part] of parts.entries()) instruments.add(part, `n${at}`, OF);
    const book = new InstrumentBook(false);
    book.look([watched]);
    expect(samples(book)).toEqual({
      mysql_boomerang_thing_hits_total: [['', 7]],
      mysql_boomerang_thing_size: [['', 30]],
    });
  });

  it('that only grow never shrink when a part is closed, nor count twice what was looked at twice', () => {
    const { watched, instruments } = database('a');
    const part = { hits: 5, size: 1 };
    instruments.add(part, 'n', OF);
    const book = new InstrumentBook(false);
    book.look([watched]);
    book.look([watched]);
    part.hits = 8;
    book.look([watched]);
    instruments.remove(part);
    book.look([watched]);
    const { mysql_boomerang_thing_hits_total: hits, mysql_boomerang_thing_size: size } =
      samples(book);
    expect([hits, size]).toEqual([[['', 8]], []]);
    const next = { hits: 2, size: 1 };
    instruments.add(next, 'n', OF);
    book.look([watched]);
    expect(samples(book)['mysql_boomerang_thing_hits_total']).toEqual([['', 10]]);
  });

  it('of a tenant that was closed and comes back count on from where they were', () => {
    const { watched, instruments } = database('a');
    const part = { hits: 5, size: 1 };
    instruments.add(part, 'n', OF);
    const book = new InstrumentBook(false);
    for (const hits of [5, 5, 7]) {
      part.hits = hits;
      book.look([watched]);
      expect(samples(book)['mysql_boomerang_thing_hits_total']).toEqual([['', hits]]);
      book.look([]);
      expect(samples(book)['mysql_boomerang_thing_hits_total']).toEqual([['', hits]]);
    }
  });

  it('told apart by database leave with it', () => {
    const [a, b] = [database('a'), database('b')];
    const parts = [
      { hits: 1, size: 1 },
      { hits: 2, size: 2 },
    ] as const;
    a.instruments.add(parts[0], 'n', OF);
    b.instruments.add(parts[1], 'n', OF);
    const book = new InstrumentBook(true);
    book.look([a.watched, b.watched]);
    expect(samples(book)['mysql_boomerang_thing_hits_total']).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    book.look([a.watched]);
    expect(samples(book)).toEqual({
      mysql_boomerang_thing_hits_total: [['a', 1]],
      mysql_boomerang_thing_size: [['a', 1]],
    });
  });

  it('of parts that nobody uses any more, closed or not, are not kept', async () => {
    const { instruments } = database('a');
    const kept = { hits: 0, size: 0 };
    instruments.add(kept, 'kept', OF);
    for (let count = 0; count < 1000; count++) instruments.add({ hits: 0, size: 0 }, 'lost', OF);
    // A reference that was made in this turn holds what it refers to until the turn is over.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(instruments.list().map(({ name }) => name)).toEqual(['kept']);
  });
});
