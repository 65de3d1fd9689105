/** Placeholders for so many values, or rows of them: `?, ?, ?`. */
export function marks(count: number, one = '?'): string {
  return Array.from({ length: count }, () => one).join(', ');
}
