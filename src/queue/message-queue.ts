import type { RetryingPooledDatabase } from '../database';
import { releaseConnection } from '../decorators/release-connection';
import {
  InvalidArgumentError,
  PoolClosedError,
  TransactionOpenError,
  checkFunction,
  checkOptionNames,
  describe,
} from '../errors';
import { partsOf } from '../pooled-database';
import { currentContext } from '../scope/context';
import { openFrame } from '../schema/standing';
import { toBytes } from '../values/bytes';
import { checkFits } from '../values/packet';
import type { Message } from './message';
import type { NewMessage } from './message-table';
import { QUEUE_INSTRUMENT } from './queue-instrument';
import {
  checkMs,
  LARGEST_BATCH,
  resolveConsumeOptions,
  resolveQueueOptions,
  resolveWorkerOptions,
  type ConsumeOptions,
  type MessageQueueOptions,
  type ProduceOneOptions,
  type ProduceOptions,
  type WorkerOptions,
} from './queue-options';
import { QueueAdministration } from './queue-administration';
import { Schedule } from './schedule';
import { nameBytes } from './stream-directory';
import { Worker, type MessageHandler } from './worker';

/** One stream, or several in order of priority. */
export type Streams = string | readonly string[];

export interface ScheduleOptions {
  readonly stream: string;
  readonly payload?: unknown;
  /** Of the cron expression, as in 'Europe/Vienna'. @default 'UTC' */
  readonly timezone?: string;
}

/**
 * Streams of messages with consumer groups, on tables: each group gets every message of its stream,
 * each message by one consumer of the group at a time, until that has acknowledged it.
 *
 * Producing and acknowledging take part in the caller's transaction: a message that is produced
 * in `db.atomic` exists if that commits, and one that is acknowledged in it has had its effects
 * exactly once. Otherwise a message is delivered at least once.
 */
export class MessageQueue extends QueueAdministration {
  readonly #workers = new Set<Worker>();
  readonly #schedules = new Set<Schedule>();
  readonly #over = new AbortController();

  /** @throws {ConfigurationError} naming the option and the rule. */
  constructor(db: RetryingPooledDatabase, options: MessageQueueOptions = {}) {
    super(db, resolveQueueOptions(options));
    partsOf(db).instruments.add(this, options.prefix ?? '', QUEUE_INSTRUMENT);
  }

  /** What runs here until it is stopped. */
  running(): { readonly workers: number; readonly schedules: number } {
    const workers = withoutStopped(this.#workers).size;
    return Object.freeze({ workers, schedules: withoutStopped(this.#schedules).size });
  }

  /**
   * Adds a message to a stream, for every group that the stream has when it commits. Resolves to its
   * id; with a `dedupeKey` that was used before, to that of the message that is there already.
   *
   * @throws {InvalidArgumentError} for a payload that cannot be kept, or is too large.
   */
  @releaseConnection
  produce(stream: string, payload: unknown, options: ProduceOneOptions = {}): Promise<number> {
    return this._produce(stream, payload, options);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  async _produce(
    stream: string,
    payload: unknown,
    options: ProduceOneOptions = {},
  ): Promise<number> {
    checkOptionNames('options', options, ['delay', 'key', 'dedupeKey']);
    const [id = 0] = await this.#produceAll(stream, [payload], options);
    return id;
  }

  /** The same for many, in their order: all of them or none. */
  @releaseConnection
  produceMany(
    stream: string,
    payloads: readonly unknown[],
    options: ProduceOptions = {},
  ): Promise<number[]> {
    return this._produceMany(stream, payloads, options);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  async _produceMany(
    stream: string,
    payloads: readonly unknown[],
    options: ProduceOptions = {},
  ): Promise<number[]> {
    checkOptionNames('options', options, ['delay', 'key']);
    if (!Array.isArray(payloads)) {
      throw new InvalidArgumentError('payloads', `must be an array, got ${describe(payloads)}`);
    }
    return this.#produceAll(stream, payloads, options);
  }

  async #produceAll(
    stream: string,
    payloads: readonly unknown[],
    { delay = 0, key, dedupeKey }: ProduceOneOptions,
  ): Promise<number[]> {
    const name = nameBytes('stream', stream);
    checkMs('delay', delay);
    const lane = key === undefined ? undefined : nameBytes('key', key);
    const window = this.options.dedupeWindow;
    const dedupe =
      dedupeKey === undefined ? undefined : { key: nameBytes('dedupeKey', dedupeKey), window };
    const messages: NewMessage[] = [];
    for (const payload of payloads) {
      const { kind, bytes } = this.parts.codec.encode(payload, 'payload');
      if (bytes.length > 65_536) await checkFits(this.db, 'payload', bytes.length);
      messages.push({ kind, body: bytes, lane, delay, dedupe });
    }
    return this.parts.producer.produce({ stream: name, messages });
  }

  /**
   * Claims messages for a group: at most `batch`, as soon as there is one, none after `wait` ms. Each is
   * kept from others for `visibilityTimeout` ms; acknowledge, give back or extend it in that time. Holds
   * no connection while it waits.
   *
   * @throws {InvalidArgumentError} where a stream has no such group.
   * @throws {TransactionOpenError} inside a transaction, which would keep the claim from others' eyes.
   */
  @releaseConnection
  async consume<T = unknown>(
    streams: Streams,
    group: string,
    options: ConsumeOptions = {},
  ): Promise<Message<T>[]> {
    const resolved = resolveConsumeOptions(options, this.options);
    const order = this.#order(streams, group, resolved);
    if (openFrame(this.db) !== undefined) {
      throw new TransactionOpenError(
        'consume() inside a transaction would claim and wait in it: consume before, and acknowledge inside.',
      );
    }
    // Whoever waits holds no connection.
    if (currentContext()?.scope !== undefined) await this.db.manualClose();
    const { batch, wait, signal } = resolved;
    this.#refuseIfClosed();
    signal?.throwIfAborted();
    const over = this.#over.signal;
    const either = signal === undefined ? over : AbortSignal.any([signal, over]);
    const messages = await this.parts.access.alone(() =>
      this.parts.intake.next(order, batch, wait, wait === 0 ? undefined : either),
    );
    return messages as Message<T>[];
  }

  /**
   * Has `handler` deal with the messages of a group until the worker is stopped. A handler that resolves
   * acknowledges its message; one that throws gives it back, for later. It runs in nobody's scope, and may
   * acknowledge by itself, inside the transaction that writes. Pass `message.signal` on to what it
   * waits for.
   */
  worker<T = unknown>(
    streams: Streams,
    group: string,
    handler: MessageHandler<T>,
    options: WorkerOptions = {},
  ): Worker {
    checkFunction('handler', handler);
    const resolved = resolveWorkerOptions(options, this.options);
    const order = this.#order(streams, group, resolved);
    this.#refuseIfClosed();
    const { intake, settlement, logger } = this.parts;
    const handle = handler as MessageHandler<unknown>;
    const worker = new Worker(intake, order, handle, settlement, resolved, logger);
    withoutStopped(this.#workers).add(worker);
    return worker;
  }

  /**
   * Takes over what a consumer has claimed that is known to be gone, without waiting for its claims to
   * end: its own messages after a restart, or those of another.
   */
  @releaseConnection
  claimStale<T = unknown>(
    stream: string,
    group: string,
    from: string,
    options: ConsumeOptions = {},
  ): Promise<Message<T>[]> {
    return this._claimStale<T>(stream, group, from, options);
  }

  /** The same; runs outside the scope or transaction that is open. */
  async _claimStale<T = unknown>(
    stream: string,
    group: string,
    from: string,
    options: ConsumeOptions = {},
  ): Promise<Message<T>[]> {
    const resolved = resolveConsumeOptions(options, this.options);
    this.#refuseIfClosed();
    const { visibility, consumer } = this.#order(stream, group, resolved);
    const ref = await this.parts.directory.group(stream, group);
    const wanted = { most: resolved.batch, visibility, consumer, first: 'claim' } as const;
    const gone = consumerBytes('from', from);
    return (await this.parts.desk.takeOver(ref, gone, wanted)) as Message<T>[];
  }

  /**
   * Produces a message at the moments of a cron expression (of five fields, or six with seconds): once
   * in the world, however many processes have a schedule of this name. Of moments at which none was
   * there, the last one is made up for.
   *
   * @throws {InvalidArgumentError} for what is no cron expression or time zone.
   */
  schedule(name: string, cron: string, options: ScheduleOptions): Schedule {
    checkOptionNames('options', options, ['stream', 'payload', 'timezone']);
    const { stream, payload = null, timezone = 'UTC' } = options;
    nameBytes('stream', stream);
    this.#refuseIfClosed();
    const when = { name: nameBytes('name', name), cron, timezone };
    const { access, schedules } = this.parts;
    const schedule = new Schedule(access, schedules, when, () => this._produce(stream, payload));
    withoutStopped(this.#schedules).add(schedule);
    return schedule;
  }

  /** Stops workers and schedules, and rejects those who wait. */
  async close(): Promise<void> {
    this.#over.abort(closed());
    partsOf(this.db).instruments.remove(this);
    const all = [...this.#workers, ...this.#schedules];
    await Promise.all(all.map((each) => each.stop()));
    await Promise.all([this.parts.upkeep.settled(), this.parts.retention.sweeper.stop()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #order(
    streams: Streams,
    group: string,
    options: { readonly consumer: string; readonly visibilityTimeout: number },
  ) {
    const all = typeof streams === 'string' ? [streams] : streams;
    if (
      (!Array.isArray(streams) && typeof streams !== 'string') ||
      all.length === 0 ||
      all.length > LARGEST_BATCH
    ) {
      const rule = `must be a name, or an array of them, got ${describe(streams)}`;
      throw new InvalidArgumentError('streams', rule);
    }
    for (const stream of all) nameBytes('stream', stream);
    nameBytes('group', group);
    const consumer = consumerBytes('consumer', options.consumer);
    return { streams: [...all], group, consumer, visibility: options.visibilityTimeout };
  }

  #refuseIfClosed(): void {
    if (this.#over.signal.aborted) throw closed();
  }
}

function withoutStopped<T extends { readonly isStopped: boolean }>(running: Set<T>): Set<T> {
  for (const each of running) if (each.isStopped) running.delete(each);
  return running;
}

function consumerBytes(argument: string, consumer: string): Buffer {
  return toBytes(argument, consumer, { longest: 255 });
}

function closed(): PoolClosedError {
  return new PoolClosedError('This queue was closed and takes no more work');
}
