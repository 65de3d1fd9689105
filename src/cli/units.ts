import { UsageError } from './exit';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `10m` in ms. A number alone is refused: nobody can tell seconds from milliseconds. */
export function parseDuration(option: string, text: string): number {
  const [, number, unit] = /^(\d{1,12}(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (number !== undefined && unit !== undefined) return Number(number) * (UNITS[unit] ?? 1);
  throw new UsageError(`${option} must be a time with its unit, such as 500ms, 30s, 10m, 2h or 7d`);
}

export function parseCount(option: string, text: string, least: number): number {
  const count = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (count >= least) return count;
  throw new UsageError(`${option} must be a whole number, ${least} or more`);
}

/** For people: the two largest units. */
export function duration(ms: number): string {
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.floor(ms / 100) / 10} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return pair(seconds, 60, 'min', 1, 's');
  if (seconds < 86_400) return pair(seconds, 3600, 'h', 60, 'min');
  return pair(seconds, 86_400, 'd', 3600, 'h');
}

function pair(seconds: number, large: number, its: string, small: number, other: string): string {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${its}${rest === 0 ? '' : ` ${rest} ${other}`}`;
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [left, at] = [count, 0];
  for (; left >= 1024 && at < units.length - 1; at++) left /= 1024;
  return `${left >= 100 ? Math.round(left) : Math.round(left * 10) / 10} ${units[at] ?? ''}`;
}

/** 1234567 as 1,234,567. */
export function number(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** `1 lock`, `2 locks`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/**
 * A name as it may be shown: what would steer the terminal, or mislead the eye, is written out.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
