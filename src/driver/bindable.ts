import { types } from 'node:util';
import { describeType } from '../errors';

/**
 * Why a value cannot stand where SQL has room for exactly one; undefined where it can. The text
 * tells the value's type and never the value.
 *
 * The driver has an answer to each of these that is not an error: an array becomes a list, an
 * object `a = b` pairs, undefined and an invalid Date NULL, and NaN a word that no server knows.
 *
 * @param advice what to write instead of an array or an object.
 */
export function objectionTo(value: unknown, advice: string): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : 'is a number that SQL has not (NaN or infinite)';
    case 'undefined':
      return 'is undefined: write null where NULL is meant';
    case 'object':
      if (value === null || types.isUint8Array(value)) return undefined;
      if (types.isDate(value)) {
        return Number.isNaN(value.getTime()) ? 'is an invalid Date' : undefined;
      }
      return `is ${describeType(value)} and not one value: ${advice}`;
    default:
      return `is ${describeType(value)}, which is no value`;
  }
}
