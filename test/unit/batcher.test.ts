import { setImmediate as nextTurn } from 'node:timers/promises';
import { Batcher } from '../../src/batcher';
import { deferred } from '../support/deferred';

describe('a batcher', () => {
  it('has what is asked for in one turn done together, each with its own outcome', async () => {
    const runs: number[][] = [];
    const batcher = new Batcher<number, number>({
      most: 3,
      run: async (items) => {
        runs.push([...items]);
        return items.map((item) => item * 2);
      },
    });
    expect(await Promise.all([1, 2, 3, 4].map((item) => batcher.add(item)))).toEqual([2, 4, 6, 8]);
    expect(await batcher.add(5)).toBe(10);
    expect(runs).toEqual([[1, 2, 3], [4], [5]]);
  });

  it('gathers while as many runs as may be are under way', async () => {
    const gate = deferred();
    const runs: number[][] = [];
    const batcher = new Batcher<number, number>({
      most: 10,
      atOnce: 1,
      run: async (items) => {
        runs.push([...items]);
        await gate.promise;
        return items;
      },
    });
    const first = batcher.add(1);
    await nextTurn();
    const later = [batcher.add(2)];
    await nextTurn();
    later.push(batcher.add(3));
    await nextTurn();
    expect(runs).toEqual([[1]]);
    gate.resolve();
    expect(await Promise.all([first, ...later])).toEqual([1, 2, 3]);
    expect(runs).toEqual([[1], [2, 3]]);
  });

  it('divides what is asked for between the runs that may be under way, in parts worth one', async () => {
    let gate = deferred();
    const runs: number[][] = [];
    const batcher = new Batcher<number, number>({
      most: 10,
      atOnce: 2,
      least: 3,
      run: async (items) => {
        runs.push([...items]);
        await gate.promise;
        return items;
      },
    });
    const asked = async (count: number): Promise<number[]> => {
      runs.length = 0;
      gate = deferred();
      const all = Promise.all(Array.from({ length: count }, (_, at) => batcher.add(at)));
      await nextTurn();
      gate.resolve();
      await all;
      return runs.map(({ length }) => length);
    };
    expect(await asked(3)).toEqual([3]);
    expect(await asked(4)).toEqual([3, 1]);
    expect(await asked(8)).toEqual([4, 4]);
    expect(await asked(50)).toEqual([10, 10, 10, 10, 5, 5]);
  });

  it('counts what is under way when it divides', async () => {
    const gates: ReturnType<typeof deferred<void>>[] = [];
    const runs: number[] = [];
    const batcher = new Batcher<number, number>({
      most: 100,
      atOnce: 2,
      least: 1,
      run: async (items) => {
        const gate = deferred();
        gates.push(gate);
        runs.push(items.length);
        await gate.promise;
        return items;
      },
    });
    const ask = (count: number) => Promise.all(new Array(count).fill(0).map(() => batcher.add(0)));
    const first = ask(8);
    await nextTurn();
    const second = ask(4);
    gates[0]?.resolve();
    await nextTurn();
    expect(runs).toEqual([4, 4, 4]);
    for (const gate of gates) gate.resolve();
    await Promise.all([first, second]);
  });

  it('with patience, a run that takes longer does not hold up the next', async () => {
    const gate = deferred();
    const runs: number[][] = [];
    const batcher = new Batcher<number, number>({
      most: 10,
      atOnce: 1,
      patience: 5,
      run: async (items) => {
        runs.push([...items]);
        if (items.includes(1)) await gate.promise;
        return items;
      },
    });
    const first = batcher.add(1);
    await nextTurn();
    expect(await Promise.all([batcher.add(2), batcher.add(3)])).toEqual([2, 3]);
    gate.resolve();
    expect(await first).toBe(1);
    // The one that was late does not count twice.
    const [fourth, fifth] = [batcher.add(4), batcher.add(5)];
    expect(await Promise.all([fourth, fifth])).toEqual([4, 5]);
    expect(runs).toEqual([[1], [2, 3], [4, 5]]);
  });

  it('fails for all of a run, and for none of the next', async () => {
    let runs = 0;
    const batcher = new Batcher<number, number>({
      most: 10,
      run: (items) => (runs++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve(items)),
    });
    const failed = await Promise.allSettled([batcher.add(1), batcher.add(2)]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await batcher.add(3)).toBe(3);
  });

  it('rejects rather than leave a promise open, where outcomes are missing', async () => {
    const batcher = new Batcher<number, number>({ most: 10, run: () => Promise.resolve([]) });
    await expect(batcher.add(1)).rejects.toThrow('an outcome for each item');
  });
});
