/** So many items may stand in one statement whatever their number: more come in sizes of two's powers. */
const ANY_NUMBER = 16;
const MOST = 256;
/** Bytes of one statement's values: every server takes as much. */
const MOST_BYTES = 512 * 1024;

/** How many of so many go into the next statement: few texts, so that they stay prepared. */
function nextSize(count: number): number {
  if (count <= ANY_NUMBER) return count;
  return Math.min(MOST, 2 ** Math.floor(Math.log2(count)));
}

/** Cuts a list into what one statement each carries; an item that is too large alone stands alone. */
export function batches<T>(items: readonly T[], bytesOf: (item: T) => number): T[][] {
  const cut: T[][] = [];
  let at = 0;
  while (at < items.length) {
    const end = at + nextSize(items.length - at);
    let bytes = 0;
    let to = at;
    while (to < end && (to === at || bytes + bytesOf(items[to] as T) <= MOST_BYTES)) {
      bytes += bytesOf(items[to++] as T);
    }
    to = at + nextSize(to - at);
    cut.push(items.slice(at, to));
    at = to;
  }
  return cut;
}

/** The same for lists in which an item may stand twice: the last is repeated up to the next size. */
export function paddedBatches<T>(items: readonly T[]): T[][] {
  const cut: T[][] = [];
  for (let at = 0; at < items.length; at += MOST) {
    const part = items.slice(at, at + MOST);
    const size = part.length <= ANY_NUMBER ? part.length : 2 ** Math.ceil(Math.log2(part.length));
    const last = part.at(-1) as T;
    while (part.length < size) part.push(last);
    cut.push(part);
  }
  return cut;
}
