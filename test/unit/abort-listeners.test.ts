import { getEventListeners } from 'node:events';
import { onAbort } from '../../src/abort-listeners';

let aborter: AbortController;
let heard: string[];
const hear = (name: string) => (): void => void heard.push(name);

beforeEach(() => {
  aborter = new AbortController();
  heard = [];
});

describe('onAbort()', () => {
  it('tells every listener once, in the order they came', () => {
    for (const name of ['a', 'b', 'c']) onAbort(aborter.signal, hear(name));
    aborter.abort();
    aborter.abort();
    expect(heard).toEqual(['a', 'b', 'c']);
  });

  it('costs the signal one listener, however many there are, and none when all have left', () => {
    const { signal } = aborter;
    const leaving = Array.from({ length: 1000 }, () => onAbort(signal, hear('x')));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const leave of leaving.slice(1)) leave();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    leaving[0]!();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    aborter.abort();
    expect(heard).toEqual([]);
  });

  it('the same function may listen twice; taking one away leaves the other', () => {
    const both = hear('x');
    const leave = onAbort(aborter.signal, both);
    onAbort(aborter.signal, both);
    leave();
    leave();
    aborter.abort();
    expect(heard).toEqual(['x']);
  });

  it('who comes after all have left is heard, and leaving late harms nobody', () => {
    const leave = onAbort(aborter.signal, hear('first'));
    leave();
    onAbort(aborter.signal, hear('second'));
    leave();
    aborter.abort();
    expect(heard).toEqual(['second']);
  });

  it('who leaves by its own call, or another’s, keeps nobody else from being told', () => {
    const leaving: (() => void)[] = [];
    leaving.push(onAbort(aborter.signal, () => leaving.forEach((leave) => leave())));
    leaving.push(onAbort(aborter.signal, () => leaving.forEach((leave) => leave())));
    onAbort(aborter.signal, hear('last'));
    aborter.abort();
    expect(heard).toEqual(['last']);
  });

  it('signals are apart', () => {
    const other = new AbortController();
    onAbort(aborter.signal, hear('mine'));
    onAbort(other.signal, hear('other'));
    other.abort();
    expect(heard).toEqual(['other']);
  });

  it('throws for what is no signal', () => {
    expect(() => onAbort({} as AbortSignal, hear('x'))).toThrow(TypeError);
  });
});
