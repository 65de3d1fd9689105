import { State } from './delivery-sql';
import type { DeliveryRow } from './delivery-listing';
import type { QueueParts } from './queue-parts';
import { nameBytes } from './stream-directory';

/** Rows read at a time. */
const PAGE = 200;

/** A message that somebody has claimed. */
export interface PendingMessage {
  readonly id: number;
  readonly key: string | undefined;
  /** As it was named when it claimed. */
  readonly consumer: string;
  readonly attempt: number;
  /** How long it is kept from others yet, in ms; below 0 since it may be claimed again. */
  readonly expiresIn: number;
}

/** A message that was delivered as often as it may be. */
export interface DeadLetter {
  readonly id: number;
  readonly key: string | undefined;
  /** `undefined` where it cannot be read. */
  readonly body: unknown;
  readonly attempts: number;
  /** Since it was given up, in ms. */
  readonly age: number;
  /** What its last failure said, or why it could not be read. */
  readonly reason: string | undefined;
}

/** A message that a group still has to deal with. */
export interface PeekedMessage {
  readonly id: number;
  readonly key: string | undefined;
  /** `undefined` where it cannot be read. */
  readonly body: unknown;
  /** How often it was delivered. */
  readonly attempt: number;
  /** Who has claimed it, or had it last. */
  readonly consumer: string | undefined;
  /**
   * Until it is ready (`delayed`) or its claim ends (`claimed`), in ms; below 0 since then, or since it is
   * dead. `undefined` for what is ready.
   */
  readonly dueIn: number | undefined;
  /** What its last failure said. */
  readonly reason: string | undefined;
}

export interface PeekOptions {
  /** @default 'ready' */
  readonly state?: 'ready' | 'delayed' | 'claimed' | 'dead';
}

/** A stream, and the groups that it has. */
export interface StreamGroups {
  readonly stream: string;
  readonly groups: readonly string[];
}

export async function listStreams({ streams }: QueueParts): Promise<StreamGroups[]> {
  const byName = new Map<string, string[]>();
  for (const { stream, grp } of await streams.list()) {
    const name = stream.toString();
    const groups = byName.get(name) ?? [];
    if (grp !== null) groups.push(grp.toString());
    byName.set(name, groups);
  }
  return [...byName].map(([stream, groups]) => ({ stream, groups }));
}

async function* rowsOf(
  { access, listing, directory }: QueueParts,
  stream: string,
  group: string,
  state: number,
): AsyncGenerator<DeliveryRow, void, undefined> {
  const { groupId } = await directory.group(stream, group);
  // What is extended meanwhile comes again further on.
  const seen = new Set<number>();
  let after: { readonly due: string; readonly id: number } | undefined;
  for (;;) {
    const from = after;
    const rows = await access.alone(() => listing.page(groupId, state, from, PAGE));
    for (const row of rows) {
      if (!seen.has(row.id)) yield row;
      seen.add(row.id);
    }
    after = rows.at(-1);
    if (rows.length < PAGE) return;
  }
}

export async function* listPending(
  parts: QueueParts,
  stream: string,
  group: string,
  consumer: string | undefined,
): AsyncGenerator<PendingMessage, void, undefined> {
  for await (const row of rowsOf(parts, stream, group, State.claimed)) {
    const name = row.consumer.toString();
    if (consumer !== undefined && name !== consumer) continue;
    const { id, attempt, dueIn } = row;
    yield { id, attempt, consumer: name, key: row.lane?.toString(), expiresIn: dueIn };
  }
}

export async function* listDeadLetters(
  parts: QueueParts,
  stream: string,
  group: string,
): AsyncGenerator<DeadLetter, void, undefined> {
  for await (const row of rowsOf(parts, stream, group, State.dead)) {
    const { id, attempt, dueIn } = row;
    yield {
      id,
      body: bodyOf(parts, row),
      attempts: attempt,
      age: -dueIn,
      key: row.lane?.toString(),
      reason: row.reason?.toString(),
    };
  }
}

/** Of one that cannot be read the reason says why. */
function bodyOf({ codec }: QueueParts, { kind, body }: DeliveryRow): unknown {
  try {
    return kind === null || body === null ? undefined : codec.decode(kind, body);
  } catch {
    return undefined;
  }
}

export async function* listMessages(
  parts: QueueParts,
  stream: string,
  group: string,
  { state = 'ready' }: PeekOptions,
): AsyncGenerator<PeekedMessage, void, undefined> {
  for await (const row of rowsOf(parts, stream, group, State[state])) {
    const { id, attempt, lane, consumer, dueIn, reason } = row;
    yield {
      id,
      attempt,
      key: lane?.toString(),
      body: bodyOf(parts, row),
      consumer: consumer.length === 0 ? undefined : consumer.toString(),
      dueIn: state === 'ready' ? undefined : dueIn,
      reason: reason?.toString(),
    };
  }
}

/** Makes dead letters ready. Those with a key take their place in its order again. */
export async function redrive(
  { access, listing, lanes, directory, bell }: QueueParts,
  stream: string,
  group: string,
  ids: readonly number[] | undefined,
): Promise<number> {
  nameBytes('stream', stream);
  const { groupId, streamId } = await directory.group(stream, group);
  let count = 0;
  const some = async (wanted: readonly number[]): Promise<void> => {
    if (wanted.length === 0) return;
    count += await listing.revive(groupId, wanted);
    count += await lanes.readmit(groupId, wanted);
  };
  await access.atomic(async () => {
    count = 0;
    if (ids !== undefined) {
      const sorted = [...new Set(ids)].sort((a, b) => a - b);
      for (let at = 0; at < sorted.length; at += PAGE) await some(sorted.slice(at, at + PAGE));
      return;
    }
    // From page to page: what others have made ready meanwhile may still look dead from here.
    let after: DeliveryRow | undefined;
    for (;;) {
      const rows = await listing.page(groupId, State.dead, after, PAGE);
      await some(rows.map(({ id }) => id).sort((a, b) => a - b));
      after = rows.at(-1);
      if (rows.length < PAGE) return;
    }
  });
  await access.db.afterCommit(() => bell.ring(streamId));
  return count;
}
