/** Placeholders for so many values, or rows of them: `?, ?, ?`. */
export function marks(count: number, one = '?'): string {
  return Array.from({ length: count }, () => one).join(', ');
}

/** A text for so many values, made once for each number: looking it up is cheaper. */
export function perCount(make: (count: number) => string): (count: number) => string {
  const made = new Map<number, string>();
  return (count) => {
    const known = made.get(count);
    if (known !== undefined) return known;
    const text = make(count);
    made.set(count, text);
    return text;
  };
}
