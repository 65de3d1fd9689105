/** From what is as it should be to what keeps the library from working. */
export const LEVELS = ['ok', 'note', 'warning', 'problem'] as const;

export type Level = (typeof LEVELS)[number];

export interface Finding {
  /** What was looked at: stable, for programs. */
  readonly check: string;
  readonly level: Level;
  /** What was found. */
  readonly found: string;
  /** What to do about it, or why there is nothing to be done. */
  readonly advice?: string;
}

export const ok = (check: string, found: string, advice?: string): Finding =>
  finding('ok', check, found, advice);
/** Worth knowing; works as it is. */
export const note = (check: string, found: string, advice: string): Finding =>
  finding('note', check, found, advice);
/** Works, and will cause trouble. */
export const warning = (check: string, found: string, advice: string): Finding =>
  finding('warning', check, found, advice);
/** Something of the library does not work. */
export const problem = (check: string, found: string, advice: string): Finding =>
  finding('problem', check, found, advice);

function finding(level: Level, check: string, found: string, advice?: string): Finding {
  return { check, level, found, ...(advice === undefined ? {} : { advice }) };
}

export function tally(findings: readonly Finding[]): Record<Level, number> {
  const counts = { ok: 0, note: 0, warning: 0, problem: 0 };
  for (const { level } of findings) counts[level]++;
  return counts;
}
