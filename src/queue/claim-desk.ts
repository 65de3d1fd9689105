import { Batcher } from '../batcher';
import { explain } from '../driver/explain';
import { errorFields } from '../logger';
import type { ValueCodec } from '../values/codec';
import type { ClaimedRow, DeliveryTable } from './delivery-table';
import { Message, type MessageKeeper } from './message';
import type { QueueAccess } from './queue-access';
import { LARGEST_BATCH } from './queue-options';
import { randomNumber } from './random';
import type { GroupRef } from './stream-directory';
import type { Found, Upkeep } from './upkeep';

/** How often a group that is never without messages is looked after, in ms. */
const LOOK_EVERY = 100;

/** In ms: an answer that does not come is not waited for by those who ask next for longer. */
const PATIENCE = 1000;

/** What somebody wants. */
export interface Wanted {
  readonly most: number;
  /** In ms. */
  readonly visibility: number;
  readonly consumer: Buffer;
  /** `'look'`: nothing says that there is anything; a read is cheaper than a claim. */
  readonly first: 'claim' | 'look';
}

export interface Served {
  readonly messages: readonly Message[];
  /** In how many ms something becomes due, where there was nothing. */
  readonly next: number | undefined;
}

/** Somebody of a group wants something. */
interface Request {
  readonly ref: GroupRef;
  readonly wanted: Wanted;
}

interface Taken {
  readonly sentAt: number;
  readonly claim: number;
  readonly rows: readonly ClaimedRow[];
}

/** Claims messages; those who ask at the same moment, by one statement. */
export class ClaimDesk {
  readonly #access: QueueAccess;
  readonly #deliveries: DeliveryTable;
  readonly #upkeep: Upkeep;
  readonly #keeper: MessageKeeper;
  readonly #codec: ValueCodec;
  readonly #lines = new Map<string, Batcher<Request, Served>>();
  /** When each group was looked after last, by the clock. */
  readonly #lookedAt = new Map<number, number>();

  constructor(
    access: QueueAccess,
    deliveries: DeliveryTable,
    upkeep: Upkeep,
    keeper: MessageKeeper,
    codec: ValueCodec,
  ) {
    this.#access = access;
    this.#deliveries = deliveries;
    this.#upkeep = upkeep;
    this.#keeper = keeper;
    this.#codec = codec;
  }

  claim(ref: GroupRef, wanted: Wanted): Promise<Served> {
    const key = `${ref.groupId} ${wanted.visibility} ${wanted.consumer.toString('latin1')}`;
    let line = this.#lines.get(key);
    if (line === undefined) {
      if (this.#lines.size > 1000) this.#lines.clear();
      const limits = { most: LARGEST_BATCH, atOnce: 1, patience: PATIENCE };
      line = new Batcher({ ...limits, run: (all) => this.#serve(all) });
      this.#lines.set(key, line);
    }
    return line.add({ ref, wanted });
  }

  /** Takes over what another consumer has claimed. */
  async takeOver(ref: GroupRef, from: Buffer, wanted: Wanted): Promise<Message[]> {
    const taken = await this.#access.alone(() =>
      this.#take(ref, wanted, wanted.most, (request) =>
        this.#deliveries.takeOver(ref.groupId, from, ref.maxAttempts, request),
      ),
    );
    return this.#messages(ref, wanted.visibility, taken);
  }

  async #serve(requests: readonly Request[]): Promise<Served[]> {
    const all = requests.map(({ wanted }) => wanted);
    const ref = requests.at(-1)?.ref;
    const [first] = all;
    if (first === undefined || ref === undefined) return [];
    const most = Math.min(
      LARGEST_BATCH,
      all.reduce((sum, wanted) => sum + wanted.most, 0),
    );
    const { messages, next } = await this.#some(ref, first, most, all);
    // In turn, so that none of them gets all where there are few.
    const shares: Message[][] = all.map(() => []);
    for (let at = 0, given = 0; given < messages.length; at = (at + 1) % all.length) {
      const message = messages[given];
      const share = shares[at];
      const wanted = all[at];
      if (message === undefined || share === undefined || wanted === undefined) break;
      if (share.length >= wanted.most) continue;
      share.push(message);
      given++;
    }
    return shares.map((share) => ({ messages: share, next }));
  }

  async #some(
    ref: GroupRef,
    wanted: Wanted,
    most: number,
    all: readonly Wanted[],
  ): Promise<Served> {
    const take = async (): Promise<Message[]> => {
      const taken = await this.#take(ref, wanted, most, (request) =>
        this.#deliveries.claim(ref.groupId, request),
      );
      return this.#messages(ref, wanted.visibility, taken);
    };
    let messages: Message[] = [];
    if (all.some(({ first }) => first === 'claim')) messages = await take();
    if (messages.length > 0) {
      const { clock } = this.#keeper;
      if (clock.now() - (this.#lookedAt.get(ref.groupId) ?? 0) > LOOK_EVERY)
        this.#lookMeanwhile(ref);
      return { messages, next: undefined };
    }
    const found = await this.#look(ref);
    return { messages: found.ready ? await take() : [], next: found.next };
  }

  #look(ref: GroupRef): Promise<Found> {
    this.#lookedAt.set(ref.groupId, this.#keeper.clock.now());
    return this.#upkeep.run(ref);
  }

  #lookMeanwhile(ref: GroupRef): void {
    this.#look(ref).catch((error: unknown) => {
      this.#access.host.logger.warn(errorFields(error), 'a queue was not looked after');
    });
  }

  /** @throws the error of the claim, where it is not known to have been carried out. */
  async #take(
    { groupId }: GroupRef,
    { visibility, consumer }: Wanted,
    most: number,
    claimBy: (request: {
      readonly most: number;
      readonly claim: number;
      readonly visibility: number;
      readonly consumer: Buffer;
    }) => Promise<number>,
  ): Promise<Taken> {
    const claim = randomNumber();
    const sentAt = this.#keeper.clock.now();
    let end: number;
    try {
      end = await claimBy({ most, claim, visibility, consumer });
    } catch (error) {
      if (explain(error).statement === 'safe') throw error;
      // The answer was lost: what was claimed is found by the claim, which nobody else has.
      const rows = await this.#deliveries.claimedBy(groupId, claim).catch(() => []);
      if (rows.length === 0) throw error;
      return { sentAt, claim, rows };
    }
    const rows = end === 0 ? [] : await this.#deliveries.claimed(groupId, claim, end);
    return { sentAt, claim, rows };
  }

  /** What cannot be read is given back, and so comes to the dead letters in the end. */
  #messages(ref: GroupRef, visibility: number, { sentAt, claim, rows }: Taken): Message[] {
    const messages: Message[] = [];
    for (const row of rows) {
      const { id, attempt, age, lane, kind, body } = row;
      const facts = { ref, attempt, age, visibility, sentAt };
      const { groupId } = ref;
      const claimed = { groupId, messageId: id, claim, lane: lane ?? undefined };
      try {
        if (kind === null || body === null) throw new Error('the message itself is gone');
        const read = this.#codec.decode(kind, body);
        messages.push(new Message(this.#keeper, { ...facts, claim: claimed, body: read }));
      } catch (error) {
        const unread = new Message(this.#keeper, { ...facts, claim: claimed, body: undefined });
        const reason = `It could not be read: ${(error as Error).message}`;
        this.#access
          .alone(() => unread._nack({ reason }))
          .catch((failure: unknown) => {
            const fields = errorFields(failure);
            this.#access.host.logger.warn(
              fields,
              'a message that cannot be read was not given back',
            );
          });
      }
    }
    return messages;
  }
}
