import { answer } from '../../src/adapters/mysql2/command';
import { settled } from '../support/manual-clock';

/** What is thrown where nobody can catch it while `work` runs. */
async function uncaughtBy(work: () => void): Promise<unknown[]> {
  const thrown: unknown[] = [];
  const nextTick = jest.spyOn(process, 'nextTick').mockImplementation((task) => {
    try {
      (task as () => void)();
    } catch (error) {
      thrown.push(error);
    }
  });
  try {
    work();
    await settled();
  } finally {
    nextTick.mockRestore();
  }
  return thrown;
}

describe('an answer', () => {
  const own = new Error('own');

  it('what its callback throws is uncaught, and the callback is called once', async () => {
    const calls: unknown[] = [];
    const thrown = await uncaughtBy(() => {
      answer(Promise.resolve(7), (...given) => {
        calls.push(given);
        throw own;
      });
    });
    expect({ thrown, calls }).toEqual({ thrown: [own], calls: [[null]] });
  });

  it('an error that there is no callback for is uncaught and not lost', async () => {
    expect(await uncaughtBy(() => answer(Promise.reject(own), undefined))).toEqual([own]);
    expect(await uncaughtBy(() => answer(Promise.resolve(), undefined))).toEqual([]);
  });
});
