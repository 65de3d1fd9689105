import { Batcher } from '../batcher';
import type { Clock } from '../clock';
import { explain } from '../driver/explain';
import { CommitInDoubtError } from '../errors';
import { holdsConnection, openFrame } from '../schema/standing';
import type { Bell } from './bell';
import { placeOf, type Claim, type DeliveryTable } from './delivery-table';
import type { LaneTable } from './lane-table';
import type { Message, MessageKeeper, NackOptions } from './message';
import type { QueueAccess } from './queue-access';
import type { GroupRef, StreamDirectory } from './stream-directory';

/** Messages acknowledged by one statement at most. */
const TOGETHER = 500;
/** What the table has room for, in bytes. */
const LONGEST_REASON = 512;

export interface Backoff {
  /** Before the second delivery, in ms; it doubles from then on. */
  readonly backoff: number;
  readonly maxBackoff: number;
}

/** The pause after a delivery that failed, in ms: longer with each, and never the same for two. */
export function pauseAfter(attempt: number, { backoff, maxBackoff }: Backoff): number {
  return Math.min(maxBackoff, backoff * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
}

export function reasonBytes(reason: string | undefined): Buffer | null {
  return reason === undefined ? null : Buffer.from(reason).subarray(0, LONGEST_REASON);
}

/** Whether what was asked may have been done: its answer did not come. */
function isDoubt(error: unknown): boolean {
  return error instanceof CommitInDoubtError || explain(error).statement === 'ifIdempotent';
}

/** Ends deliveries: acknowledges, gives back, extends. */
export class Settlement implements MessageKeeper {
  readonly clock: Clock;
  readonly #access: QueueAccess;
  readonly #deliveries: DeliveryTable;
  readonly #lanes: LaneTable;
  readonly #directory: StreamDirectory;
  readonly #bell: Bell;
  readonly #backoff: Backoff;
  readonly #settled: (ref: GroupRef) => void;
  readonly #plain: Batcher<Message, boolean>;
  readonly #laned: Batcher<Message, boolean>;

  /** @param settled told of each group of which messages were acknowledged. */
  constructor(
    access: QueueAccess,
    deliveries: DeliveryTable,
    lanes: LaneTable,
    directory: StreamDirectory,
    bell: Bell,
    backoff: Backoff,
    settled: (ref: GroupRef) => void,
  ) {
    this.clock = access.host.clock;
    this.#access = access;
    this.#deliveries = deliveries;
    this.#lanes = lanes;
    this.#directory = directory;
    this.#bell = bell;
    this.#backoff = backoff;
    this.#settled = settled;
    const most = TOGETHER;
    const run = (some: readonly Message[]) => this.#acknowledgeAll(some);
    this.#plain = new Batcher({ most, atOnce: 2, run });
    this.#laned = new Batcher({ most, atOnce: 2, run });
  }

  openFrame() {
    return openFrame(this.#access.db);
  }

  async acknowledge(message: Message): Promise<boolean> {
    const held = await this.#acknowledge(message);
    if (held) await this.#told(message);
    return held;
  }

  #acknowledge(message: Message): Promise<boolean> {
    // Who holds a connection, or is in a transaction, does it on that.
    if (holdsConnection(this.#access.db)) return this.#acknowledgeOne(message.claim);
    return message.claim.lane === undefined ? this.#plain.add(message) : this.#laned.add(message);
  }

  /** Whether each was acknowledged; settles what is in doubt where an answer was lost. */
  async #acknowledgeAll(messages: readonly Message[]): Promise<boolean[]> {
    const claims = messages.map(({ claim }) => claim);
    try {
      return await this.#acknowledgeTogether(claims);
    } catch (error) {
      if (!isDoubt(error)) throw error;
    }
    const present = await this.#deliveries.present(claims);
    const left = messages.filter(({ claim }) => present.has(placeOf(claim)));
    const again =
      left.length === 0 ? [] : await this.#acknowledgeTogether(left.map((m) => m.claim));
    const late = new Map(left.map((message, at) => [message, again[at] === true]));
    // What is gone before its claim has ended here was taken away by the statement in doubt.
    return messages.map((message) => late.get(message) ?? message.look());
  }

  async #acknowledgeTogether(claims: readonly Claim[]): Promise<boolean[]> {
    if (claims.length > 1 && (await this.#ifAll(claims))) return claims.map(() => true);
    const held: boolean[] = [];
    for (const claim of claims) held.push(await this.#acknowledgeOne(claim));
    return held;
  }

  #acknowledgeOne(claim: Claim): Promise<boolean> {
    const { lane, groupId, messageId } = claim;
    if (lane === undefined) return this.#deliveries.acknowledge(claim);
    return this.#access.atomic(async () => {
      if (!(await this.#deliveries.acknowledge(claim))) return false;
      await this.#lanes.pass(groupId, [{ lane, messageId }]);
      return true;
    });
  }

  /** All of them or none: of fewer than all it could not be told which. Their lanes pass on. */
  async #ifAll(claims: readonly Claim[]): Promise<boolean> {
    const refused = new Error('not all of them hold');
    try {
      await this.#access.atomic(async () => {
        if ((await this.#deliveries.acknowledgeAll(claims)) < claims.length) throw refused;
        for (const [groupId, laned] of lanesByGroup(claims)) await this.#lanes.pass(groupId, laned);
      });
      return true;
    } catch (error) {
      if (error === refused) return false;
      throw error;
    }
  }

  async giveBack(message: Message, { delay, reason }: NackOptions): Promise<boolean> {
    const { claim, attempt } = message;
    const { maxAttempts } = await this.#directory.group(message.stream, message.group);
    const why = reasonBytes(reason);
    const pause = delay ?? pauseAfter(attempt, this.#backoff);
    const isLast = attempt >= maxAttempts;
    const held = await (isLast
      ? this.#bury(message, why)
      : this.#deliveries.giveBack(claim, pause, why));
    if (held) await this.#told(message);
    return held;
  }

  #bury(message: Message, why: Buffer | null): Promise<boolean> {
    const { lane, groupId, messageId } = message.claim;
    if (lane === undefined) return this.#deliveries.bury(message.claim, why);
    return this.#access.atomic(async () => {
      if (!(await this.#deliveries.bury(message.claim, why))) return false;
      await this.#lanes.pass(groupId, [{ lane, messageId }]);
      return true;
    });
  }

  async extend(message: Message, ms: number): Promise<boolean> {
    return (await this.#deliveries.extend([message.claim], ms)) > 0;
  }

  /** Extends all of them by one statement. Resolves to those that are lost. */
  async extendAll(messages: readonly Message[], ms: number): Promise<Message[]> {
    const sentAt = this.clock.now();
    const claims = messages.map(({ claim }) => claim);
    const extended = await this.#deliveries.extend(claims, ms);
    const held = extended === claims.length ? undefined : await this.#deliveries.holding(claims);
    const lost: Message[] = [];
    for (const message of messages) {
      if (held === undefined || held.has(placeOf(message.claim))) message.extended(sentAt, ms);
      else lost.push(message);
    }
    return lost;
  }

  /** Gives back what nobody has worked on. */
  returnUnused(messages: readonly Message[]): Promise<void> {
    return this.#access.alone(() =>
      this.#deliveries.returnUnused(messages.map(({ claim }) => claim)),
    );
  }

  /** What follows once it is committed: another message may have its turn now. */
  async #told(message: Message): Promise<void> {
    const { stream, group } = message;
    const tell = async (): Promise<void> => {
      const ref = await this.#directory.group(stream, group);
      this.#settled(ref);
      if (message.key !== undefined) this.#bell.ring(ref.streamId);
    };
    if (this.openFrame() === undefined) await tell();
    else await this.#access.db.afterCommit(tell);
  }
}

interface Gone {
  readonly lane: Buffer;
  readonly messageId: number;
}

function lanesByGroup(claims: readonly Claim[]): [number, Gone[]][] {
  const groups = new Map<number, Gone[]>();
  for (const { groupId, lane, messageId } of claims) {
    if (lane === undefined) continue;
    const some = groups.get(groupId) ?? [];
    some.push({ lane, messageId });
    groups.set(groupId, some);
  }
  return [...groups].sort(([a], [b]) => a - b);
}
