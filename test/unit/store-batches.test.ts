import fc from 'fast-check';
import { batches, paddedBatches } from '../../src/store/batches';
import { KeySpace } from '../../src/store/store-key';
import { runsOf, type Step } from '../../src/store/pipeline';

const lists = fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 1200 });

it('batches are all of the list in its order, of few sizes, and no larger than a server takes', () => {
  const sizes = new Set<number>();
  fc.assert(
    fc.property(lists, (items) => {
      const cut = batches(items, (bytes) => bytes);
      expect(cut.flat()).toEqual(items);
      for (const part of cut) {
        sizes.add(part.length);
        const bytes = part.reduce((sum, one) => sum + one, 0);
        expect(part.length === 1 || bytes <= 512 * 1024).toBe(true);
      }
    }),
  );
  for (const size of sizes) expect(size <= 16 || [32, 64, 128, 256].includes(size)).toBe(true);
});

it('padded batches have all items, and only the last one again', () => {
  fc.assert(
    fc.property(lists, (items) => {
      const cut = paddedBatches(items);
      expect([...new Set(cut.flat())]).toEqual([...new Set(items)]);
      for (const part of cut) {
        expect(part.length <= 16 || [32, 64, 128, 256].includes(part.length)).toBe(true);
      }
    }),
  );
});

it('keys of two namespaces are never the same, and come back as they were', () => {
  const bytes = fc.uint8Array({ maxLength: 4 }).map((array) => Buffer.from(array));
  fc.assert(
    fc.property(bytes, bytes, bytes, bytes, (one, other, key, another) => {
      const spaces = [one, other].map((namespace) => new KeySpace(namespace, 'buffer'));
      const names = [spaces[0]!.key(key), spaces[1]!.key(another)];
      const isSame = one.equals(other) && key.equals(another);
      expect(names[0]!.name.equals(names[1]!.name)).toBe(isSame);
      expect(names[0]!.id.equals(names[1]!.id)).toBe(isSame);
      expect(spaces[0]!.keyOf(names[0]!.name)).toEqual(key);
      expect(spaces[0]!.key(key, 'ids').name.equals(names[0]!.name)).toBe(false);
    }),
  );
});

it('a range has exactly the keys that begin with its prefix', () => {
  const bytes = fc
    .array(fc.constantFrom(0, 1, 0xfe, 0xff), { maxLength: 3 })
    .map((array) => Buffer.from(array));
  const space = new KeySpace(Buffer.from([0xff, 0xff]), 'buffer');
  fc.assert(
    fc.property(bytes, bytes, (prefix, key) => {
      const { from, to } = space.range(prefix);
      const { head } = space.key(key);
      const isIn = Buffer.compare(head, from) >= 0 && Buffer.compare(head, to) < 0;
      expect(isIn).toBe(key.subarray(0, prefix.length).equals(prefix));
    }),
  );
});

it('only gets and sets that stand side by side are sent together', () => {
  const steps = ['get', 'get', 'set', 'set', 'get', 'incrBy', 'incrBy', 'get'].map(
    (command) => ({ command, args: [] }) as unknown as Step,
  );
  expect(runsOf(steps).map((run) => `${run[0]!.command} ${run.length}`)).toEqual([
    ...['get 2', 'set 2', 'get 1', 'incrBy 1', 'incrBy 1', 'get 1'],
  ]);
});
