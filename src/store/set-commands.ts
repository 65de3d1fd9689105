import { releaseConnection } from '../decorators/release-connection';
import { batches } from './batches';
import { CollectionCommands, inOrder } from './collection-commands';
import { KeyKind, checkKind } from './key-kind';
import type { StoreKey } from './store-key';
import { checkWhole, type NameForm, type NameLike, type NameOf } from './store-options';

interface MemberRow {
  readonly kind: number;
  readonly member: Buffer | null;
}

/** The first number of "Records: 1  Duplicates: 0  Warnings: 0", in whatever language. */
function recordsIn(info: string | undefined): number {
  return Number(/\d+/.exec(info ?? '')?.[0] ?? 0);
}

/** Commands on sets. */
export class SetCommands<Form extends NameForm> extends CollectionCommands<Form> {
  /** Adds members. @returns how many were not in the set. */
  @releaseConnection
  sadd(key: NameLike, ...members: NameLike[]): Promise<number> {
    return this._sadd(key, ...members);
  }

  async _sadd(key: NameLike, ...members: NameLike[]): Promise<number> {
    const row = this.space.key(key);
    const bytes = inOrder(members.map((member) => this.space.member('members', member)));
    const [member] = bytes;
    if (member === undefined) return 0;
    this.noteWrite();
    // In the caller's transaction a shared lock could not grow later: two would wait for each other.
    if (bytes.length === 1 && !this.tables.inTransaction) {
      const { id, name } = row;
      const added = await this.tables.write(this.tables.sets.addToOne, [member, id, name]);
      if (recordsIn(added.info) > 0) return added.affectedRows;
    }
    return this.tables.atomic(() => this.#add(row, bytes));
  }

  /** Removes members. @returns how many were in the set. */
  @releaseConnection
  srem(key: NameLike, ...members: NameLike[]): Promise<number> {
    return this._srem(key, ...members);
  }

  async _srem(key: NameLike, ...members: NameLike[]): Promise<number> {
    const bytes = members.map((member) => this.space.member('members', member));
    let removed = 0;
    await this._shrink(KeyKind.set, this.tables.names.sets, key, async (held) => {
      removed = await this._removeMembers(this.tables.sets, held, bytes);
      return removed > 0;
    });
    return removed;
  }

  /** All members, in no particular order. */
  @releaseConnection
  smembers(key: NameLike): Promise<NameOf<Form>[]> {
    return this._smembers(key);
  }

  async _smembers(key: NameLike): Promise<NameOf<Form>[]> {
    const { id, name } = this.space.key(key);
    const rows = await this.tables.read<MemberRow>(this.tables.sets.all, [id, name]);
    const [first] = rows;
    if (first !== undefined) checkKind(first.kind, KeyKind.set);
    return rows.flatMap(({ member }) => (member === null ? [] : [this.space.nameOf(member)]));
  }

  /** Whether the set has this member. */
  @releaseConnection
  sismember(key: NameLike, member: NameLike): Promise<boolean> {
    return this._sismember(key, member);
  }

  async _sismember(key: NameLike, member: NameLike): Promise<boolean> {
    const { id, name } = this.space.key(key);
    const bytes = this.space.member('member', member);
    return (await this.#count(this.tables.sets.has, [bytes, id, name])) > 0;
  }

  /** How many members the set has. They are counted: about 10 ms for each 100,000. */
  @releaseConnection
  scard(key: NameLike): Promise<number> {
    return this._scard(key);
  }

  async _scard(key: NameLike): Promise<number> {
    const { id, name } = this.space.key(key);
    return this.#count(this.tables.sets.count, [id, name]);
  }

  /**
   * Takes members out at random, each as likely as any other; all members are looked at.
   *
   * @param count how many at most. @default 1
   */
  @releaseConnection
  spop(key: NameLike, count = 1): Promise<NameOf<Form>[]> {
    return this._spop(key, count);
  }

  async _spop(key: NameLike, count = 1): Promise<NameOf<Form>[]> {
    checkWhole('count', count, 0);
    let taken: Buffer[] = [];
    await this._shrink(KeyKind.set, this.tables.names.sets, key, async (held) => {
      const values = [held.version, String(count)];
      const rows = await this.tables.read<{ member: Buffer }>(this.tables.sets.random, values);
      taken = rows.map(({ member }) => member);
      return (await this._removeMembers(this.tables.sets, held, taken)) > 0;
    });
    return taken.map((member) => this.space.nameOf(member));
  }

  async #add(key: StoreKey, members: readonly Buffer[]): Promise<number> {
    const version = await this._open(KeyKind.set, key);
    let added = 0;
    for (const part of batches(members, ({ length }) => length)) {
      const values = part.flatMap((member) => [version, member]);
      added += (await this.tables.write(this.tables.sets.add(part.length), values)).affectedRows;
    }
    return added;
  }

  async #count(sql: string, values: readonly unknown[]): Promise<number> {
    const [row] = await this.tables.read<{ kind: number; n: number | string }>(sql, values);
    if (row === undefined) return 0;
    checkKind(row.kind, KeyKind.set);
    return Number(row.n);
  }
}
