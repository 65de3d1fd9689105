import { AsyncLocalStorage } from 'node:async_hooks';
import { Liveness } from '../../src/clock';

/* Each of these fails on the code as it is. A test moves to its own file once it passes. */

it('holds the process in nobody’s async context', () => {
  // A timer keeps the context it was set in: the first caller's request, until end().
  const callers = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const real = setInterval;
  const spy = jest.spyOn(globalThis, 'setInterval').mockImplementation((...args) => {
    seen.push(callers.getStore());
    return real(...args);
  });
  const liveness = new Liveness();
  callers.run('request', () => liveness.hold());
  liveness.drop();
  liveness.end();
  spy.mockRestore();
  expect(seen).toEqual([undefined]);
});
