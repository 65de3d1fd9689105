import type { RetryingPooledDatabase } from '../database';
import { releaseConnection } from '../decorators/release-connection';
import { InvalidArgumentError, checkOptionNames } from '../errors';
import { createGroup, deleteGroup } from './groups';
import {
  listDeadLetters,
  listMessages,
  listPending,
  listStreams,
  redrive,
  type DeadLetter,
  type PeekedMessage,
  type PeekOptions,
  type PendingMessage,
  type StreamGroups,
} from './inspection';
import { infoOf, type QueueInfo } from './queue-info';
import { checkCount, type CreateGroupOptions, type ResolvedQueueOptions } from './queue-options';
import { makeParts, type QueueParts } from './queue-parts';
import { trim, type TrimOptions } from './trim';

/**
 * A queue as its operator sees it: groups, what they have not dealt with, what may go. Producing and
 * consuming are {@link MessageQueue}'s.
 */
export class QueueAdministration {
  /** @internal */
  protected readonly db: RetryingPooledDatabase;
  /** @internal */
  protected readonly options: ResolvedQueueOptions;
  /** @internal */
  protected readonly parts: QueueParts;

  /** @internal */
  constructor(db: RetryingPooledDatabase, options: ResolvedQueueOptions) {
    this.db = db;
    this.options = options;
    this.parts = makeParts(db, options);
  }

  /**
   * Creates a group, or leaves the one that is there, which waits for nobody. A new one waits for
   * producers of the stream whose transactions are open, so that nothing falls in between: what had
   * committed at the call belongs to a group from the start only, what commits later to every group.
   * Resolves to whether it is new.
   */
  @releaseConnection
  createGroup(stream: string, group: string, options: CreateGroupOptions = {}): Promise<boolean> {
    return this._createGroup(stream, group, options);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  _createGroup(stream: string, group: string, options: CreateGroupOptions = {}): Promise<boolean> {
    return createGroup(this.parts, stream, group, options, this.options.maxAttempts);
  }

  /** Removes a group with all it has not dealt with. Resolves to whether there was one. */
  @releaseConnection
  deleteGroup(stream: string, group: string): Promise<boolean> {
    return this._deleteGroup(stream, group);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  _deleteGroup(stream: string, group: string): Promise<boolean> {
    return deleteGroup(this.parts, stream, group);
  }

  /**
   * What the group's consumers have claimed and not settled, the claim that ends first coming first; with
   * `consumer` that one's only. Reads some at a time, and holds no connection in between.
   */
  pending(
    stream: string,
    group: string,
    options: { readonly consumer?: string } = {},
  ): AsyncGenerator<PendingMessage, void, undefined> {
    checkOptionNames('options', options, ['consumer']);
    return listPending(this.parts, stream, group, options.consumer);
  }

  /**
   * What was delivered as often as it may be, longest dead first. Reads some at a time, and holds no
   * connection in between.
   */
  deadLetters(stream: string, group: string): AsyncGenerator<DeadLetter, void, undefined> {
    return listDeadLetters(this.parts, stream, group);
  }

  /** Every stream, and its groups, by name. */
  @releaseConnection
  streams(): Promise<StreamGroups[]> {
    return this._streams();
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  _streams(): Promise<StreamGroups[]> {
    return listStreams(this.parts);
  }

  /**
   * Messages that a group still has to deal with, and takes none of them: those of one state, what is due
   * first coming first. Those that wait for one of the same key are not among them. Reads some at a time,
   * and holds no connection in between.
   */
  peek(
    stream: string,
    group: string,
    options: PeekOptions = {},
  ): AsyncGenerator<PeekedMessage, void, undefined> {
    checkOptionNames('options', options, ['state']);
    checkState(options.state);
    return listMessages(this.parts, stream, group, options);
  }

  /**
   * Makes a message ready that is claimed or delayed, whoever has it; that one's acknowledgement is
   * refused from then on. Resolves to whether there was such a message.
   */
  @releaseConnection
  requeue(stream: string, group: string, id: number): Promise<boolean> {
    return this._requeue(stream, group, id);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  async _requeue(stream: string, group: string, id: number): Promise<boolean> {
    checkCount('id', id, 1, Number.MAX_SAFE_INTEGER);
    const { groupId, streamId } = await this.parts.directory.group(stream, group);
    const found = await this.parts.deliveries.requeue(groupId, id);
    if (found) await this.db.afterCommit(() => this.parts.bell.ring(streamId));
    return found;
  }

  /** Makes dead letters ready, with all attempts before them; all of them, or those named. Resolves to how many. */
  @releaseConnection
  redrive(stream: string, group: string, ids?: readonly number[]): Promise<number> {
    return this._redrive(stream, group, ids);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  async _redrive(stream: string, group: string, ids?: readonly number[]): Promise<number> {
    for (const id of ids ?? []) checkCount('ids', id, 1, Number.MAX_SAFE_INTEGER);
    return redrive(this.parts, stream, group, ids);
  }

  /** How much there is, and how far behind a group is. Counts rows: not for every request. */
  @releaseConnection
  info(stream: string, group: string): Promise<QueueInfo> {
    return this._info(stream, group);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  _info(stream: string, group: string): Promise<QueueInfo> {
    return infoOf(this.parts, stream, group);
  }

  /**
   * Removes messages that every group has acknowledged, whatever `retention` says; of a stream without
   * groups all that the bounds name. Resolves to how many.
   */
  @releaseConnection
  trim(stream: string, options: TrimOptions = {}): Promise<number> {
    return this._trim(stream, options);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  _trim(stream: string, options: TrimOptions = {}): Promise<number> {
    return trim(this.parts, stream, options);
  }

  /** How many messages `trim` would remove. */
  @releaseConnection
  trimmable(stream: string, options: TrimOptions = {}): Promise<number> {
    return this._trimmable(stream, options);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  _trimmable(stream: string, options: TrimOptions = {}): Promise<number> {
    return trim(this.parts, stream, options, 'count');
  }
}

const PEEKED: readonly unknown[] = [undefined, 'ready', 'delayed', 'claimed', 'dead'];

function checkState(state: unknown): void {
  if (PEEKED.includes(state)) return;
  throw new InvalidArgumentError('state', "must be 'ready', 'delayed', 'claimed' or 'dead'");
}
