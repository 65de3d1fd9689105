import { releaseConnection } from '../decorators/release-connection';
import { checkOptionNames } from '../errors';
import { KeyKind, checkKind } from './key-kind';
import { SortedSetCommands, boundOf, type ScoredMember } from './sorted-set-commands';
import type { Direction } from './sorted-set-table';
import { checkWhole, type NameForm, type NameLike, type NameOf } from './store-options';

export interface RangeOptions {
  /** Gives `{ member, score }` instead of the member alone. @default false */
  readonly withScores?: boolean;
}

export interface ScoreRangeOptions extends RangeOptions {
  /** How many of the range to leave out. @default 0 */
  readonly offset?: number;
  /** How many to give at most. @default all */
  readonly limit?: number;
}

/** What a range gives: members, or members with their scores. */
export type Ranged<Name, Options> = Options extends { readonly withScores: true }
  ? ScoredMember<Name>[]
  : Name[];

/** A row of a range; the key's own comes first, and has its kind. */
interface RangeRow {
  readonly kind: number | string | null;
  readonly member: Buffer | null;
  readonly score: number | null;
}

interface CountRow {
  readonly kind: number;
  readonly score?: number | null;
  readonly n: number | string;
}

/** As many as there are. */
const ALL = '18446744073709551615';
const opposite = { ASC: 'DESC', DESC: 'ASC' } as const;

/** Commands that read sorted sets, in order by score and then by bytes. */
export class SortedSetQueries<Form extends NameForm> extends SortedSetCommands<Form> {
  /** A member's score; `undefined` where it has none. */
  @releaseConnection
  zscore(key: NameLike, member: NameLike): Promise<number | undefined> {
    return this._zscore(key, member);
  }

  async _zscore(key: NameLike, member: NameLike): Promise<number | undefined> {
    const { id, name } = this.space.key(key);
    const bytes = this.space.member('member', member);
    const row = await this.#row(this.tables.sortedSets.score, [bytes, id, name]);
    return row?.score ?? undefined;
  }

  /** How many come before a member, lowest score first; `undefined` where it is none. Counts them. */
  @releaseConnection
  zrank(key: NameLike, member: NameLike): Promise<number | undefined> {
    return this._zrank(key, member);
  }

  async _zrank(key: NameLike, member: NameLike): Promise<number | undefined> {
    const { id, name } = this.space.key(key);
    const bytes = this.space.member('member', member);
    const row = await this.#row(this.tables.sortedSets.rank, [bytes, id, name]);
    return typeof row?.score === 'number' ? Number(row.n) : undefined;
  }

  /** How many members there are. They are counted: about 10 ms for each 100,000. */
  @releaseConnection
  zcard(key: NameLike): Promise<number> {
    return this._zcard(key);
  }

  async _zcard(key: NameLike): Promise<number> {
    const { id, name } = this.space.key(key);
    return Number((await this.#row(this.tables.sortedSets.count, [id, name]))?.n ?? 0);
  }

  /** How many members have scores from `min` to `max`, both included; infinities are bounds. */
  @releaseConnection
  zcount(key: NameLike, min: number, max: number): Promise<number> {
    return this._zcount(key, min, max);
  }

  async _zcount(key: NameLike, min: number, max: number): Promise<number> {
    const { id, name } = this.space.key(key);
    const values = [boundOf('min', min), boundOf('max', max), id, name];
    return Number((await this.#row(this.tables.sortedSets.countWithin, values))?.n ?? 0);
  }

  /** The members from one rank to another, both included; below 0 from the end, -1 being the last. */
  @releaseConnection
  zrange<Options extends RangeOptions = RangeOptions>(
    key: NameLike,
    start: number,
    stop: number,
    options?: Options,
  ): Promise<Ranged<NameOf<Form>, Options>> {
    return this._zrange(key, start, stop, options);
  }

  async _zrange<Options extends RangeOptions = RangeOptions>(
    key: NameLike,
    start: number,
    stop: number,
    options?: Options,
  ): Promise<Ranged<NameOf<Form>, Options>> {
    return this.#byRank(key, start, stop, 'ASC', options);
  }

  /** The same, highest score first. */
  @releaseConnection
  zrevrange<Options extends RangeOptions = RangeOptions>(
    key: NameLike,
    start: number,
    stop: number,
    options?: Options,
  ): Promise<Ranged<NameOf<Form>, Options>> {
    return this._zrevrange(key, start, stop, options);
  }

  async _zrevrange<Options extends RangeOptions = RangeOptions>(
    key: NameLike,
    start: number,
    stop: number,
    options?: Options,
  ): Promise<Ranged<NameOf<Form>, Options>> {
    return this.#byRank(key, start, stop, 'DESC', options);
  }

  /** The members with scores from `min` to `max`, both included; infinities are bounds. */
  @releaseConnection
  zrangeByScore<Options extends ScoreRangeOptions = ScoreRangeOptions>(
    key: NameLike,
    min: number,
    max: number,
    options?: Options,
  ): Promise<Ranged<NameOf<Form>, Options>> {
    return this._zrangeByScore(key, min, max, options);
  }

  async _zrangeByScore<Options extends ScoreRangeOptions = ScoreRangeOptions>(
    key: NameLike,
    min: number,
    max: number,
    options?: Options,
  ): Promise<Ranged<NameOf<Form>, Options>> {
    const { offset = 0, limit, ...rest } = options ?? {};
    checkOptionNames('options', rest, ['withScores']);
    checkWhole('offset', offset, 0);
    if (limit !== undefined) checkWhole('limit', limit, 0);
    const bounds = [boundOf('min', min), boundOf('max', max)];
    const page = [limit === undefined ? ALL : String(limit), String(offset)];
    const rows = await this.#range(key, this.tables.sortedSets.byScore('ASC'), [
      ...bounds,
      ...page,
    ]);
    return this.#named(rows, options);
  }

  async #byRank<Options extends RangeOptions>(
    key: NameLike,
    start: number,
    stop: number,
    direction: Direction,
    options: Options | undefined,
  ): Promise<Ranged<NameOf<Form>, Options>> {
    checkOptionNames('options', options ?? {}, ['withScores']);
    checkWhole('start', start);
    checkWhole('stop', stop);
    return this.#named(await this.#ranks(key, start, stop, direction), options);
  }

  async #ranks(
    key: NameLike,
    start: number,
    stop: number,
    direction: Direction,
  ): Promise<ScoredMember<Buffer>[]> {
    const sql = this.tables.sortedSets.byRank(direction);
    const isToEnd = stop < 0;
    if (start >= 0) {
      // What ends so far from the end is read to the end: nobody has to count.
      const count = isToEnd ? ALL : String(Math.max(0, stop - start + 1));
      const rows = await this.#range(key, sql, [count, String(start)]);
      return isToEnd ? rows.slice(0, Math.max(0, rows.length + stop + 1)) : rows;
    }
    // From the other end, turned round.
    const backwards = this.tables.sortedSets.byRank(opposite[direction]);
    if (isToEnd) {
      const first = -stop - 1;
      const count = String(Math.max(0, -start - first));
      const rows = await this.#range(key, backwards, [count, String(first)]);
      return rows.reverse();
    }
    // The last so many, of which those count that are among the first so many.
    const rows = await this.#range(key, sql, [String(stop + 1), '0']);
    if (rows.length <= stop) return rows.slice(Math.max(0, rows.length + start));
    const total = await this._zcard(key);
    return rows.slice(Math.max(0, total + start));
  }

  /** Rows of a range, in its order. */
  async #range(
    key: NameLike,
    sql: string,
    values: readonly unknown[],
  ): Promise<ScoredMember<Buffer>[]> {
    const { id, name } = this.space.key(key);
    const rows = await this.tables.read<RangeRow>(sql, [id, name, id, name, ...values]);
    const found: ScoredMember<Buffer>[] = [];
    for (const { kind, member, score } of rows) {
      // MariaDB gives it as text: it stands in one column with NULLs.
      if (kind !== null) checkKind(Number(kind), KeyKind.sortedSet);
      if (member !== null && score !== null) found.push({ member, score });
    }
    return found;
  }

  #named<Options extends RangeOptions>(
    rows: readonly ScoredMember<Buffer>[],
    options: Options | undefined,
  ): Ranged<NameOf<Form>, Options> {
    const named = rows.map(({ member, score }) => ({ member: this.space.nameOf(member), score }));
    const asked = options?.withScores === true ? named : named.map(({ member }) => member);
    return asked as Ranged<NameOf<Form>, Options>;
  }

  async #row(sql: string, values: readonly unknown[]): Promise<CountRow | undefined> {
    const [row] = await this.tables.read<CountRow>(sql, values);
    if (row !== undefined) checkKind(row.kind, KeyKind.sortedSet);
    return row;
  }
}
