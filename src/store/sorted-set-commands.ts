import { releaseConnection } from '../decorators/release-connection';
import { InvalidArgumentError, describe } from '../errors';
import { batches } from './batches';
import { SetCommands } from './set-commands';
import { KeyKind } from './key-kind';
import type { StoreKey } from './store-key';
import { checkWhole, type NameForm, type NameLike, type NameOf } from './store-options';
import type { Direction } from './sorted-set-table';

/** A member of a sorted set with its score. */
export interface ScoredMember<Name = string> {
  readonly member: Name;
  readonly score: number;
}

/** A member as it is written. */
interface Entry {
  readonly member: Buffer;
  readonly score: number;
}

/** @throws {InvalidArgumentError} for what is no finite number. */
function scoreOf(argument: string, score: unknown): number {
  // Minus zero is zero: a column does not tell them apart.
  if (typeof score === 'number' && Number.isFinite(score)) return score + 0;
  throw new InvalidArgumentError(argument, `must be a finite number, got ${describe(score)}`);
}

/** Commands that write sorted sets. Scores are doubles; members of one score are in order by bytes. */
export class SortedSetCommands<Form extends NameForm> extends SetCommands<Form> {
  /**
   * Gives members their scores: `zadd(key, score, member)` or `zadd(key, [[score, member], …])`.
   *
   * @returns how many were not in the sorted set; one whose score changes counts 0.
   */
  zadd(key: NameLike, score: number, member: NameLike): Promise<number>;
  zadd(key: NameLike, entries: readonly ScoredPair[]): Promise<number>;
  @releaseConnection
  zadd(key: NameLike, scored: number | readonly ScoredPair[], member?: NameLike): Promise<number> {
    return this._zadd(key, scored, member);
  }

  async _zadd(
    key: NameLike,
    scored: number | readonly ScoredPair[],
    member?: NameLike,
  ): Promise<number> {
    const row = this.space.key(key);
    const entries = this.#entries(
      typeof scored === 'object' ? scored : [[scored, member as NameLike]],
    );
    const [entry] = entries;
    if (entry === undefined) return 0;
    this.noteWrite();
    // In the caller's transaction a shared lock could not grow later: two would wait for each other.
    if (entries.length === 1 && !this.tables.inTransaction) {
      const { id, name } = row;
      const values = [entry.member, entry.score, id, name];
      const { affectedRows } = await this.tables.write(this.tables.sortedSets.addToOne, values);
      if (affectedRows > 0) return 2 - affectedRows;
    }
    return this.tables.atomic(() => this.#add(row, entries));
  }

  /** Adds to a member's score, which begins at 0. @returns the sum. */
  @releaseConnection
  zincrBy(key: NameLike, by: number, member: NameLike): Promise<number> {
    return this._zincrBy(key, by, member);
  }

  async _zincrBy(key: NameLike, by: number, member: NameLike): Promise<number> {
    const row = this.space.key(key);
    const more = scoreOf('by', by);
    const bytes = this.space.member('member', member);
    const { sortedSets } = this.tables;
    this.noteWrite();
    return this.tables.atomic(async () => {
      const version = await this._open(KeyKind.sortedSet, row);
      const values = [version, bytes];
      const [held] = await this.tables.read<{ score: number }>(sortedSets.scoreForUpdate, values);
      const sum = (held?.score ?? 0) + more + 0;
      if (!Number.isFinite(sum)) throw new InvalidArgumentError('by', 'would make it infinite');
      await this.tables.write(sortedSets.add(1), [version, bytes, sum]);
      return sum;
    });
  }

  /** Removes members. @returns how many were in the sorted set. */
  @releaseConnection
  zrem(key: NameLike, ...members: NameLike[]): Promise<number> {
    return this._zrem(key, ...members);
  }

  async _zrem(key: NameLike, ...members: NameLike[]): Promise<number> {
    const bytes = members.map((member) => this.space.member('members', member));
    let removed = 0;
    await this.#shrink(key, async (held) => {
      removed = await this._removeMembers(this.tables.sortedSets, held, bytes);
      return removed > 0;
    });
    return removed;
  }

  /** Removes members with scores from `min` to `max`, both included. @returns how many there were. */
  @releaseConnection
  zremRangeByScore(key: NameLike, min: number, max: number): Promise<number> {
    return this._zremRangeByScore(key, min, max);
  }

  async _zremRangeByScore(key: NameLike, min: number, max: number): Promise<number> {
    const bounds = [boundOf('min', min), boundOf('max', max)];
    let removed = 0;
    await this.#shrink(key, async ({ version }) => {
      const { removeWithin } = this.tables.sortedSets;
      removed = (await this.tables.write(removeWithin, [version, ...bounds])).affectedRows;
      return removed > 0;
    });
    return removed;
  }

  /**
   * Takes out the members with the lowest scores, each for one caller alone.
   *
   * @param count how many at most. @default 1
   */
  @releaseConnection
  zpopMin(key: NameLike, count = 1): Promise<ScoredMember<NameOf<Form>>[]> {
    return this._zpopMin(key, count);
  }

  async _zpopMin(key: NameLike, count = 1): Promise<ScoredMember<NameOf<Form>>[]> {
    return this.#pop(key, count, 'ASC');
  }

  /** The same from the other end: the highest scores. */
  @releaseConnection
  zpopMax(key: NameLike, count = 1): Promise<ScoredMember<NameOf<Form>>[]> {
    return this._zpopMax(key, count);
  }

  async _zpopMax(key: NameLike, count = 1): Promise<ScoredMember<NameOf<Form>>[]> {
    return this.#pop(key, count, 'DESC');
  }

  async #pop(
    key: NameLike,
    count: number,
    direction: Direction,
  ): Promise<ScoredMember<NameOf<Form>>[]> {
    checkWhole('count', count, 0);
    let taken: Entry[] = [];
    await this.#shrink(key, async (held) => {
      const sql = this.tables.sortedSets.ends(direction);
      taken = await this.tables.read<Entry>(sql, [held.version, String(count)]);
      const members = taken.map(({ member }) => member);
      return (await this._removeMembers(this.tables.sortedSets, held, members)) > 0;
    });
    return taken.map(({ member, score }) => ({ member: this.space.nameOf(member), score }));
  }

  #shrink(key: NameLike, take: Parameters<typeof this._shrink>[3]): Promise<void> {
    return this._shrink(KeyKind.sortedSet, this.tables.names.sortedSets, key, take);
  }

  /** By bytes; of a member that is there twice the last score counts. */
  #entries(pairs: readonly ScoredPair[]): Entry[] {
    const byBytes = new Map<string, Entry>();
    for (const [score, member] of pairs) {
      const bytes = this.space.member('member', member);
      const entry = { member: bytes, score: scoreOf('score', score) };
      byBytes.set(bytes.toString('latin1'), entry);
    }
    return [...byBytes.values()].sort((a, b) => Buffer.compare(a.member, b.member));
  }

  async #add(key: StoreKey, entries: readonly Entry[]): Promise<number> {
    const version = await this._open(KeyKind.sortedSet, key);
    let added = 0;
    for (const part of batches(entries, ({ member }) => member.length)) {
      const values = part.flatMap(({ member, score }) => [version, member, score]);
      const sql = this.tables.sortedSets.add(part.length);
      // Each new one counts 1, each other one 2.
      added += 2 * part.length - (await this.tables.write(sql, values)).affectedRows;
    }
    return added;
  }
}

/** A member with its score, as `zadd` takes many. */
export type ScoredPair = readonly [score: number, member: NameLike];

/** An end of a range. @throws {InvalidArgumentError} for what is no number. */
export function boundOf(argument: string, bound: unknown): number {
  if (typeof bound === 'number' && !Number.isNaN(bound)) {
    // Scores are finite, and the server has no infinity.
    return Math.min(Math.max(bound, -Number.MAX_VALUE), Number.MAX_VALUE);
  }
  throw new InvalidArgumentError(argument, `must be a number, got ${describe(bound)}`);
}
