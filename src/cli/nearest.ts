/** How many letters have to be changed, left out, added or swapped with the next (optimal string alignment). */
function distance(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (isSame ? 0 : 1),
        swapped ? (beforeLast[j - 2] ?? 0) + 1 : Infinity,
      );
    }
    [beforeLast, last] = [last, row];
  }
  return last[other.length] ?? 0;
}

/** Which of the names was probably meant; `undefined` where none is near. */
export function nearest(given: string, names: readonly string[]): string | undefined {
  const begun = names.filter((name) => given.length > 2 && name.startsWith(given));
  if (begun.length === 1) return begun[0];
  let best: { readonly name: string; readonly far: number } | undefined;
  for (const name of names) {
    const far = distance(given, name);
    if (far <= Math.max(1, Math.floor(name.length / 3)) && (best === undefined || far < best.far)) {
      best = { name, far };
    }
  }
  return best?.name;
}
