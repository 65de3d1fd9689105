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
