import type { Clock } from '../clock';
import type { StatementRequest } from '../driver/statement-arguments';
import { Limit } from '../limit';

/** What statements of one database are bounded by where they do not say. */
export interface StatementTime {
  readonly clock: Clock;
  /** In ms; 0 is no limit. */
  readonly timeout: number;
}

/** The limit of a statement that begins now; `around` itself where it has none of its own. */
export function limitOf(
  { limits, label }: StatementRequest,
  around: Limit | undefined,
  { clock, timeout }: StatementTime,
): Limit | undefined {
  if (limits === undefined && timeout === 0) return around;
  return Limit.within(around, clock, { kind: 'statement', label }, { timeout, ...limits });
}

/**
 * Runs a statement under its own time limit and signal, inside the limit of what it is part of.
 * Where there is none, this costs nothing.
 */
export function underLimit<T>(
  request: StatementRequest,
  around: Limit | undefined,
  time: StatementTime,
  run: (limit: Limit | undefined) => Promise<T>,
): Promise<T> {
  const limit = limitOf(request, around, time);
  if (limit === undefined || limit === around) return run(around);
  const end = (): void => limit.end();
  const running = run(limit);
  running.then(end, end);
  return running;
}
