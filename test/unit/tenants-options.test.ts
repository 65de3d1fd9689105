import { DatabaseRegistry, type RegistryOptions } from '../../src/index';

it.each([
  [{ maxOpen: -1 }, 'maxOpen'],
  [{ interval: Number.NaN }, 'interval'],
  [{ jitter: 2 }, 'jitter'],
  [{ onClose: 5 }, 'onClose'],
  [{ protect: 5 }, 'protect'],
  [{ nonsense: 1 }, 'nonsense'],
  [null, 'options'],
])('refuses the options %p', (options, option) => {
  const make = (): unknown => new DatabaseRegistry(() => '', options as RegistryOptions);
  expect(make).toThrow(expect.objectContaining({ code: 'ERR_CONFIGURATION', option }));
});
