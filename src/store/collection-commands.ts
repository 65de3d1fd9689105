import { randomBytes } from 'node:crypto';
import { batches } from './batches';
import { CounterCommands } from './counter-commands';
import { checkKind, type CollectionKind } from './key-kind';
import type { StoreKey } from './store-key';
import type { NameForm, NameLike } from './store-options';

/**
 * A collection is found by its key's version, 96 random bits that no other ever has: members of a key
 * that was deleted and made again are nobody's.
 */
const VERSION = 12;

/** A collection whose key is locked. */
export interface Held {
  readonly key: StoreKey;
  readonly version: Buffer;
}

interface Versioned {
  readonly kind: number;
  readonly version: Buffer;
}

/** The statements on a table of members that every kind of collection has. */
interface MemberStatements {
  remove(count: number): string;
}

/**
 * What the commands on collections stand on. Whoever changes members has locked the key's row first:
 * shared in the one statement that adds to a collection that is there, alone in all others. So nobody
 * adds to a collection that ends, and the last member takes its key along.
 */
export class CollectionCommands<Form extends NameForm> extends CounterCommands<Form> {
  /** The collection of a key, in a transaction; made where there is none. @internal */
  protected async _open(kind: CollectionKind, key: StoreKey): Promise<Buffer> {
    const { id, name, head } = key;
    const { keys, collections } = this.tables;
    for (;;) {
      const version = randomBytes(VERSION);
      const { insertId } = await this.tables.write(keys.open(kind), [id, name, head, version]);
      if (insertId !== 0) {
        await this.tables.write(collections.register, [version, id, kind]);
        return version;
      }
      const held = await this._hold(kind, key);
      // Otherwise it has expired between the two statements: then it is free, and locked.
      if (held !== undefined) return held.version;
    }
  }

  /** The collection of a key, in a transaction; `undefined` where there is none. @internal */
  protected async _hold(kind: CollectionKind, key: StoreKey): Promise<Held | undefined> {
    const [row] = await this.tables.read<Versioned>(this.tables.keys.hold, [key.id, key.name]);
    if (row === undefined) return undefined;
    checkKind(row.kind, kind);
    return { key, version: row.version };
  }

  /**
   * Does what takes members away from a collection, which is gone with its last one.
   *
   * @param take resolves to whether any were taken.
   * @internal
   */
  protected async _shrink(
    kind: CollectionKind,
    members: string,
    key: NameLike,
    take: (held: Held) => Promise<boolean>,
  ): Promise<void> {
    const row = this.space.key(key);
    this.noteWrite();
    await this.tables.atomic(async () => {
      const held = await this._hold(kind, row);
      if (held === undefined || !(await take(held))) return;
      const { version } = held;
      const drop = this.tables.collections.drop(members);
      await this.tables.write(drop, [row.id, version, version]);
    });
  }

  /** Removes members by name. @returns how many there were. @internal */
  protected async _removeMembers(
    statements: MemberStatements,
    { version }: Held,
    members: readonly Buffer[],
  ): Promise<number> {
    let removed = 0;
    for (const part of batches(inOrder(members), ({ length }) => length)) {
      const { affectedRows } = await this.tables.write(statements.remove(part.length), [
        version,
        ...part,
      ]);
      removed += affectedRows;
    }
    return removed;
  }
}

/** Without those that are there twice, by bytes: rows are locked in one order by everybody. */
export function inOrder(members: readonly Buffer[]): Buffer[] {
  const byBytes = new Map(members.map((member) => [member.toString('latin1'), member]));
  return [...byBytes.values()].sort((a, b) => Buffer.compare(a, b));
}
