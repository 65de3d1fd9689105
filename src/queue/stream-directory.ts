import type { Clock } from '../clock';
import { InvalidArgumentError } from '../errors';
import { toBytes } from '../values/bytes';
import type { QueueAccess } from './queue-access';
import type { GroupRow, StreamTable } from './stream-table';

/** For how long in ms what is known of a group is not asked again. */
const FRESH = 10_000;
const LONGEST_NAME = 255;

/** A group of a stream, as it is used here. */
export interface GroupRef extends GroupRow {
  readonly stream: string;
  readonly group: string;
}

interface Known {
  readonly ref: Promise<GroupRef>;
  readonly at: number;
}

/** @throws {InvalidArgumentError} naming the argument. */
export function nameBytes(argument: string, name: unknown): Buffer {
  return toBytes(argument, name, { least: 1, longest: LONGEST_NAME });
}

/** Numbers of streams and groups, which the tables know by name. */
export class StreamDirectory {
  readonly #table: StreamTable;
  readonly #access: QueueAccess;
  readonly #clock: Clock;
  readonly #streams = new Map<string, number>();
  readonly #groups = new Map<string, Known>();

  constructor(table: StreamTable, access: QueueAccess, clock: Clock) {
    this.#table = table;
    this.#access = access;
    this.#clock = clock;
  }

  /** The stream's number. It begins to exist when it is first used. */
  async stream(bytes: Buffer): Promise<number> {
    const key = bytes.toString('latin1');
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    const id = (await this.#table.find(bytes)) ?? (await this.#table.create(bytes));
    // One that was made in a transaction may be undone: whoever locks it finds out.
    this.#streams.set(key, id);
    return id;
  }

  /** The same where the number that was known is of a stream that is not there. */
  async renew(bytes: Buffer): Promise<number> {
    const id = await this.#table.create(bytes);
    this.#streams.set(bytes.toString('latin1'), id);
    return id;
  }

  /** @throws {InvalidArgumentError} where the stream has no such group. */
  group(stream: string, group: string): Promise<GroupRef> {
    const key = `${stream}\0${group}`;
    const known = this.#groups.get(key);
    const now = this.#clock.now();
    if (known !== undefined && now - known.at < FRESH) return known.ref;
    const ref = this.#find(stream, group);
    this.#groups.set(key, { ref, at: now });
    ref.catch(() => {
      if (this.#groups.get(key)?.ref === ref) this.#groups.delete(key);
    });
    return ref;
  }

  forgetGroup(stream: string, group: string): void {
    this.#groups.delete(`${stream}\0${group}`);
  }

  async #find(stream: string, group: string): Promise<GroupRef> {
    const names = [nameBytes('stream', stream), nameBytes('group', group)] as const;
    // Shared with others: in nobody's scope.
    const row = await this.#access.alone(() => this.#table.group(...names));
    if (row !== undefined) return { ...row, stream, group };
    throw new InvalidArgumentError(
      'group',
      'does not exist on this stream: use createGroup() once',
    );
  }
}
