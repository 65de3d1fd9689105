import { releaseConnection } from '../decorators/release-connection';
import type { ResultHeader } from '../driver/statement';
import {
  InvalidArgumentError,
  WrongTypeError,
  checkOptionNames,
  describe,
  describeType,
} from '../errors';
import { ValueKind } from '../values/codec';
import { KeyKind, checkKind, checkValue } from './key-kind';
import { REFUSALS } from './key-table';
import type { StoreKey } from './store-key';
import type { NameForm, NameLike } from './store-options';
import { StringCommands, type ValueRow } from './string-commands';

export interface TokenBucketOptions {
  /** How many tokens a full bucket holds. */
  readonly capacity: number;
  /** How many come back in a second. */
  readonly refillPerSecond: number;
  /** How many are taken; 0 only looks. @default 1 */
  readonly cost?: number;
}

export interface TokenBucketReply {
  /** Whether there were enough; if not, none were taken. */
  readonly allowed: boolean;
  /** How many are left, to the thousandth. */
  readonly remaining: number;
  /** In how many ms there will be enough, if nobody takes any; 0 where there were. */
  readonly retryAfter: number;
}

const BITS = 64;
/** A bucket is full again after so many microseconds at most. */
const LONGEST_REFILL = 2 ** 51;
const MICROS = 1e6;

/** @throws {InvalidArgumentError} for what is no whole number of 64 bits. */
export function wholeOf(argument: string, value: unknown): bigint {
  const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (!isWhole) {
    const rule = `must be a bigint or a whole number below 2^53, got ${describeType(value)}`;
    throw new InvalidArgumentError(argument, rule);
  }
  const whole = BigInt(value as bigint | number);
  if (BigInt.asIntN(BITS, whole) === whole) return whole;
  throw new InvalidArgumentError(argument, 'must be between -2^63 and 2^63 - 1');
}

/** Whether the server refused a statement for what it met in the row. */
export function isRefusal(error: unknown): boolean {
  return REFUSALS.includes((error as { errno?: number }).errno ?? 0);
}

/** Why nothing can be added to a value. The server's own error would quote it. */
export function unaddable({ kind, value }: ValueRow): Error {
  const text = value.toString('latin1');
  const isText = kind !== ValueKind.json && kind !== ValueKind.custom;
  if (isText && /^(?:0|-?[1-9]\d{0,18})$/.test(text) && wholeFits(text)) {
    return new InvalidArgumentError('by', 'would take the counter out of its 64 bits');
  }
  return new WrongTypeError('The key or field holds no whole number of 64 bits');
}

function wholeFits(text: string): boolean {
  return BigInt.asIntN(BITS, BigInt(text)) === BigInt(text);
}

/** Commands that count: exact, and in one statement each. */
export class CounterCommands<Form extends NameForm> extends StringCommands<Form> {
  /**
   * Adds to a counter, which begins at 0, and gives the sum. `get` gives it as a decimal string. Its
   * time to live stays.
   *
   * @throws {WrongTypeError} where the key holds no whole number.
   * @throws {InvalidArgumentError} where the sum has no room in 64 bits; nothing is changed.
   */
  @releaseConnection
  incrBy(key: NameLike, by: bigint | number = 1): Promise<bigint> {
    return this._incrBy(key, by);
  }

  async _incrBy(key: NameLike, by: bigint | number = 1): Promise<bigint> {
    return this.#add(this.space.key(key), wholeOf('by', by));
  }

  /** Takes from a counter, as {@link incrBy} adds. */
  @releaseConnection
  decrBy(key: NameLike, by: bigint | number = 1): Promise<bigint> {
    return this._decrBy(key, by);
  }

  async _decrBy(key: NameLike, by: bigint | number = 1): Promise<bigint> {
    return this.#add(this.space.key(key), wholeOf('by', -wholeOf('by', by)));
  }

  /**
   * Adds to a number, as doubles are added, and gives the sum. Its time to live stays.
   *
   * @throws {WrongTypeError} where the key holds no number.
   * @throws {InvalidArgumentError} where the sum is not finite; nothing is changed.
   */
  @releaseConnection
  incrByFloat(key: NameLike, by: number): Promise<number> {
    return this._incrByFloat(key, by);
  }

  async _incrByFloat(key: NameLike, by: number): Promise<number> {
    if (typeof by !== 'number' || !Number.isFinite(by)) {
      throw new InvalidArgumentError('by', `must be a finite number, got ${describe(by)}`);
    }
    const row = this.space.key(key);
    return this.tables.atomic(async () => {
      const { id, name } = row;
      // It may expire between the two statements: then it is free, and locked.
      for (;;) {
        if (await this._offer(row, numberText(by), null)) return by + 0;
        const [held] = await this.tables.read<ValueRow>(this.tables.keys.getForUpdate, [id, name]);
        if (held !== undefined) return this.#addFloat(row, numberIn(held), by);
      }
    });
  }

  /**
   * The next of the ids of a name: 1, 2, 3 … Nothing resets it: it is no key that others can delete,
   * and it never expires. Inside `db.atomic` it is taken with the transaction: rolled back, the id is
   * given again, and meanwhile others wait for it.
   */
  @releaseConnection
  nextId(name: NameLike): Promise<bigint> {
    return this._nextId(name);
  }

  async _nextId(name: NameLike): Promise<bigint> {
    return this.#add(this.space.key(name, 'ids'), 1n);
  }

  /**
   * Takes tokens from a bucket that refills at a steady rate, by the server's clock; a bucket that was
   * never used is full; the row of a full one is swept a minute later. Times are kept in whole microseconds.
   *
   * @throws {WrongTypeError} where the key holds something else.
   */
  @releaseConnection
  tokenBucket(key: NameLike, options: TokenBucketOptions): Promise<TokenBucketReply> {
    return this._tokenBucket(key, options);
  }

  async _tokenBucket(key: NameLike, options: TokenBucketOptions): Promise<TokenBucketReply> {
    const { id, name, head } = this.space.key(key);
    const { full, cost } = bucketOf(options);
    this.noteWrite();
    const values = [id, name, head, cost, cost, cost, cost, full, cost, cost];
    let header: ResultHeader;
    try {
      header = await this.tables.write(this.tables.keys.take, values);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const [row] = await this.tables.read<{ kind: number }>(this.tables.keys.kind, [id, name]);
      if (row !== undefined) checkKind(row.kind, KeyKind.bucket);
      throw error;
    }
    const reported = header.insertId;
    const allowed = reported % 2 === 1;
    const used = Math.floor(reported / 2);
    const left = options.capacity - (used * options.refillPerSecond) / MICROS;
    const remaining = Math.max(0, Math.round(left * 1000) / 1000);
    const retryAfter = allowed ? 0 : Math.max(0, used + cost - full) / 1000;
    return { allowed, remaining, retryAfter };
  }

  async #addFloat({ id, name }: StoreKey, held: number, by: number): Promise<number> {
    const sum = held + by;
    if (!Number.isFinite(sum)) throw new InvalidArgumentError('by', 'would make it infinite');
    const { kind, bytes } = numberText(sum);
    await this.tables.write(this.tables.keys.replace, [kind, bytes, id, name]);
    return sum;
  }

  async #add(key: StoreKey, by: bigint): Promise<bigint> {
    const { id, name, head } = key;
    this.noteWrite();
    try {
      const values = [id, name, head, by, by];
      const { insertId } = await this.tables.write(this.tables.keys.increment, values);
      return BigInt(insertId);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const [row] = await this.tables.read<ValueRow>(this.tables.keys.getNow, [id, name]);
      if (row === undefined) throw error;
      checkValue(row.kind);
      throw unaddable(row);
    }
  }
}

const numberText = (value: number) => {
  const text = String(value + 0);
  return { kind: ValueKind.text, bytes: Buffer.from(text, 'latin1') };
};

/** @throws {WrongTypeError} where it is no number. */
function numberIn({ kind, value }: ValueRow): number {
  checkValue(kind);
  const text = value.toString('latin1');
  const isNumber = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text);
  const number = isNumber ? Number(text) : NaN;
  if (Number.isFinite(number)) return number;
  throw new WrongTypeError('The key holds no finite number');
}

/** In microseconds: how long an empty bucket takes to be full, and how long what is taken takes. */
function bucketOf(options: TokenBucketOptions): { full: number; cost: number } {
  checkOptionNames('options', options, ['capacity', 'refillPerSecond', 'cost']);
  const { capacity, refillPerSecond, cost = 1 } = options;
  const positive = (name: string, value: unknown): void => {
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return;
    throw new InvalidArgumentError(name, `must be a number above 0, got ${describe(value)}`);
  };
  positive('capacity', capacity);
  positive('refillPerSecond', refillPerSecond);
  if (!(typeof cost === 'number' && cost >= 0 && cost <= capacity)) {
    const rule = `must be a number from 0 to the capacity, got ${describe(cost)}`;
    throw new InvalidArgumentError('cost', rule);
  }
  // Rounded such that what fits exactly fits.
  const full = Math.ceil((capacity / refillPerSecond) * MICROS);
  if (full <= LONGEST_REFILL) {
    return { full, cost: Math.floor((cost / refillPerSecond) * MICROS) };
  }
  throw new InvalidArgumentError('refillPerSecond', 'would take longer than 70 years to fill it');
}
