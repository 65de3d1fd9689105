import { MemoryTier } from '../../src/cache/memory-tier';
import { ManualClock } from '../support/manual-clock';

describe('a cache’s memory', () => {
  const found = (text: string) => ({ kind: 1, bytes: Buffer.from(text), freshFor: 60_000 });
  const options = { max: 10, maxBytes: 100, ttl: 1000 };

  it('keeps what a read found for its time, which counts from when the read was sent', async () => {
    const clock = new ManualClock();
    const memory = new MemoryTier(options, clock);
    const mark = memory.begin();
    await clock.advance(400);
    memory.put('a', found('1'), mark);
    expect(memory.get('a')?.bytes.toString()).toBe('1');
    await clock.advance(600);
    expect(memory.get('a')).toBeUndefined();
  });

  it('takes nothing of a read that was sent before a change, of the key or of all', () => {
    const memory = new MemoryTier(options, new ManualClock());
    const mark = memory.begin();
    memory.forget('a');
    memory.put('a', found('old'), mark);
    memory.put('b', found('kept'), mark);
    expect([memory.get('a'), memory.get('b')?.bytes.toString()]).toStrictEqual([undefined, 'kept']);
    memory.forgetAll();
    memory.put('c', found('old'), mark);
    expect([memory.get('b'), memory.get('c')]).toStrictEqual([undefined, undefined]);
    memory.put('a', found('new'), memory.begin());
    expect(memory.get('a')?.bytes.toString()).toBe('new');
  });

  it('nor where the change has fallen out of it since', () => {
    const memory = new MemoryTier({ ...options, max: 1 }, new ManualClock());
    const mark = memory.begin();
    memory.forget('a');
    memory.put('b', found('pushes it out'), memory.begin());
    memory.put('a', found('old'), mark);
    expect(memory.get('a')).toBeUndefined();
  });

  it('nor where the value that came after the change was too large for it', () => {
    const memory = new MemoryTier(options, new ManualClock());
    const mark = memory.begin();
    memory.forget('a');
    memory.put('a', found('x'.repeat(200)), memory.begin());
    memory.put('a', found('old'), mark);
    expect(memory.get('a')).toBeUndefined();
  });
});
