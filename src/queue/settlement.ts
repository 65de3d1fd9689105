import { Batcher } from '../batcher';
import type { Clock } from '../clock';
import { explain } from '../driver/explain';
import { CommitInDoubtError } from '../errors';
import { holdsConnection, openFrame } from '../schema/standing';
import type { Bell } from './bell';
import { placeOf, type Claim } from './claim';
import type { DeliveryTable } from './delivery-table';
import type { LaneTable } from './lane-table';
import type { Message, MessageKeeper, NackOptions } from './message';
import type { QueueAccess } from './queue-access';
import type { GroupRef } from './stream-directory';

/** Messages acknowledged by one statement at most. */
const TOGETHER = 500;
/** Such statements under way at most; what is acknowledged meanwhile goes with the next. */
const AT_ONCE = 2;
/** In ms: what waits for a transaction's lock does not hold up other messages for longer. */
const PATIENCE = 100;
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
  readonly #bell: Bell;
  readonly #backoff: Backoff;
  readonly #settled: (ref: GroupRef) => void;
  readonly #plain: Batcher<Message, boolean>;
  readonly #laned: Batcher<Message, boolean>;
  /** The answer to their acknowledgement was lost: what is gone of them is taken for acknowledged. */
  readonly #inDoubt = new WeakSet<Message>();

  /** @param settled told of each group of which messages were acknowledged. */
  constructor(
    access: QueueAccess,
    deliveries: DeliveryTable,
    lanes: LaneTable,
    bell: Bell,
    backoff: Backoff,
    settled: (ref: GroupRef) => void,
  ) {
    this.clock = access.host.clock;
    this.#access = access;
    this.#deliveries = deliveries;
    this.#lanes = lanes;
    this.#bell = bell;
    this.#backoff = backoff;
    this.#settled = settled;
    const most = TOGETHER;
    const run = (some: readonly Message[]) => this.#acknowledgeAll(some);
    const limits = { most, atOnce: AT_ONCE, patience: PATIENCE };
    this.#plain = new Batcher({ ...limits, run });
    this.#laned = new Batcher({ ...limits, run });
  }

  openFrame() {
    return openFrame(this.#access.db);
  }

  async acknowledge(message: Message): Promise<boolean> {
    const held = await this.#acknowledge(message);
    if (held) await this.#told(message, message.key !== undefined);
    return held;
  }

  async #acknowledge(message: Message): Promise<boolean> {
    // Who holds a connection, or is in a transaction, does it on that.
    if (this.openFrame() !== undefined) return this.#acknowledgeOne(message.claim);
    if (holdsConnection(this.#access.db)) {
      return (await this.#acknowledgeAll([message]))[0] === true;
    }
    return message.claim.lane === undefined ? this.#plain.add(message) : this.#laned.add(message);
  }

  /** Whether each was acknowledged; settles what is in doubt where an answer was lost. */
  async #acknowledgeAll(messages: readonly Message[]): Promise<boolean[]> {
    if (messages.some((message) => this.#inDoubt.has(message))) return this.#resolve(messages);
    try {
      return await this.#acknowledgeTogether(messages);
    } catch (error) {
      if (!isDoubt(error)) throw error;
      return this.#resolve(messages);
    }
  }

  /** The same where some of them may have been acknowledged before. */
  async #resolve(messages: readonly Message[]): Promise<boolean[]> {
    const present = await this.#deliveries.present(messages.map(({ claim }) => claim));
    const left = messages.filter(({ claim }) => present.has(placeOf(claim)));
    const again = left.length === 0 ? [] : await this.#acknowledgeTogether(left);
    const late = new Map(left.map((message, at) => [message, again[at] === true]));
    // What is gone before its claim has ended here was taken away by the statement in doubt.
    return messages.map(
      (message) => late.get(message) ?? (this.#inDoubt.has(message) && message.look()),
    );
  }

  async #acknowledgeTogether(messages: readonly Message[]): Promise<boolean[]> {
    const claims = messages.map(({ claim }) => claim);
    try {
      if (claims.length > 1 && (await this.#ifAll(claims))) return claims.map(() => true);
      const held: boolean[] = [];
      for (const claim of claims) held.push(await this.#acknowledgeOne(claim));
      return held;
    } catch (error) {
      if (isDoubt(error)) for (const message of messages) this.#inDoubt.add(message);
      throw error;
    }
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
    const { claim, attempt, ref } = message;
    const why = reasonBytes(reason);
    const pause = delay ?? pauseAfter(attempt, this.#backoff);
    const isLast = attempt >= ref.maxAttempts;
    const held = await (isLast
      ? this.#bury(message, why)
      : this.#deliveries.giveBack(claim, pause, why));
    // Those who wait learn when it is due.
    if (held) await this.#told(message, true);
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

  extend(message: Message, ms: number): Promise<boolean> {
    return this.#deliveries.extend(message.claim, ms);
  }

  /**
   * Extends all of them by one statement, but for those whose row somebody has locked: they hold for
   * as long as they did. Resolves to those that are lost.
   */
  async extendAll(messages: readonly Message[], ms: number): Promise<Message[]> {
    const claims = messages.map(({ claim }) => claim);
    const sentAt = this.clock.now();
    if ((await this.#deliveries.extendAll(claims, ms)) === claims.length) {
      for (const message of messages) message.extended(sentAt, ms);
      return [];
    }
    const lookedAt = this.clock.now();
    const left = await this.#deliveries.holding(claims);
    return messages.filter((message) => {
      const holds = left.get(placeOf(message.claim));
      if (holds !== undefined) message.extended(lookedAt, holds);
      return holds === undefined;
    });
  }

  /** Gives back what nobody has worked on. */
  returnUnused(messages: readonly Message[]): Promise<void> {
    return this.#access.alone(() =>
      this.#deliveries.returnUnused(messages.map(({ claim }) => claim)),
    );
  }

  /** What follows once it is committed. @param isNews whether there may be something to claim now. */
  async #told({ ref }: Message, isNews: boolean): Promise<void> {
    const tell = (): void => {
      this.#settled(ref);
      if (isNews) this.#bell.ring(ref.streamId);
    };
    if (this.openFrame() === undefined) tell();
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
