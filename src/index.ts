/// <reference lib="esnext.disposable" preserve="true" />
export { RetryingPooledDatabase } from './database';
export type { EndOptions, PooledDatabase } from './pooled-database';
export { releaseConnection } from './decorators/release-connection';
export type { ReleaseOptions } from './decorators/release-options';
export { atomic, type AtomicMethodOptions } from './decorators/atomic';
export { install, installSql } from './install';
export type { InstallOptions } from './schema/install-tables';
export { DistributedLocks, type LockStats } from './lock/distributed-locks';
export { DistributedLock } from './lock/distributed-lock';
export {
  LeaderElection,
  type LeaderElectionOptions,
  type LeaderEvents,
} from './lock/leader-election';
export type { LockHolder } from './lock/lock-holder';
export type { Fence, LockLease } from './lock/lock-lease';
export type { AcquireLockOptions, DistributedLocksOptions, LockOptions } from './lock/lock-options';
export { SessionLock, type SessionLockLease } from './lock/session-lock';
export { withLock, type LockNaming, type WithLockOptions } from './lock/with-lock';
export { KeyValueStore } from './store/key-value-store';
export type {
  ExpiryOptions,
  KeyValueStoreOptions,
  NameForm,
  NameLike,
  NameOf,
} from './store/store-options';
export type { StoreStats } from './store/store-base';
export type { StorePipeline } from './store/pipeline';
export type { TokenBucketOptions, TokenBucketReply } from './store/counter-commands';
export type { ScoredMember, ScoredPair } from './store/sorted-set-commands';
export type { Ranged, RangeOptions, ScoreRangeOptions } from './store/sorted-set-queries';
export type { Fields } from './store/hash-commands';
export { Cache, type CacheItem } from './cache/cache';
export type {
  CacheOptions,
  CompressOptions,
  GetOrSetOptions,
  MemoryOptions,
  SetOptions,
} from './cache/cache-options';
export type { CacheStats } from './cache/cache-stats';
export { cached, type CachedOptions } from './cache/cached';
export { MessageQueue, type ScheduleOptions, type Streams } from './queue/message-queue';
export type { Message, NackOptions } from './queue/message';
export type {
  DeadLetter,
  PeekedMessage,
  PeekOptions,
  PendingMessage,
  StreamGroups,
} from './queue/inspection';
export type { QueueInfo } from './queue/queue-info';
export type {
  ConsumeOptions,
  CreateGroupOptions,
  MessageQueueOptions,
  ProduceOneOptions,
  ProduceOptions,
  WorkerOptions,
} from './queue/queue-options';
export type { Schedule } from './queue/schedule';
export type { TrimOptions } from './queue/trim';
export type { MessageHandler, StopOptions, Worker, WorkerStats } from './queue/worker';
export {
  ResourceWatch,
  type ResourceWarning,
  type ResourceWatchEvents,
} from './monitor/resource-watch';
export type { Resource, ResourceWatchOptions, WarnAt } from './monitor/resource-watch-options';
export type { Watched } from './monitor/resource-sources';
export type {
  DescriptorNumbers,
  EventLoopDelay,
  PoolLoad,
  ResourceSnapshot,
  ServerLoad,
} from './monitor/resource-snapshot';
export { DatabaseRegistry, type RegistryEvents } from './tenants/database-registry';
export type { Protected } from './tenants/protection';
export type {
  CloseHook,
  CloseReason,
  DatabaseFactory,
  RegistryOptions,
} from './tenants/registry-options';
export type { RegistryStats, SweepSummary, TenantInfo } from './tenants/registry-stats';
export type { Serializer } from './values/codec';
export { auditReleases } from './decorators/audit';
export type {
  AsyncMethod,
  AsyncMethodDecorator,
  PromiseMethod,
  PromiseMethodDecorator,
} from './decorators/dialect';
export { connectionScope, type ScopeOptions } from './scope/connection-scope';
export type { AtomicCallback } from './transaction/atomic';
export type { AtomicOptions, IsolationLevel } from './transaction/atomic-options';
export type { TransactionBlock } from './transaction/transaction-block';
export type { RowStream } from './transaction/row-stream';
export type { PooledConnection } from './transaction/pooled-connection';
export type { BulkInsertOptions, BulkInsertResult } from './transaction/bulk-insert';
export type { OnDuplicate } from './driver/on-duplicate';
export { sql, type SqlFragment, type SqlTag } from './driver/sql-tag';
export type { Hook } from './transaction/hooks';
export type {
  DatabaseOptions,
  LimitOptions,
  LogOptions,
  PoolOptions,
  RetryOptions,
  StatementDefaults,
} from './options';
export type { DriverOptions } from './driver-options';
export type { Logger, LogFields, LogLevel } from './logger';
export type { DatabaseStats, PoolStats } from './metrics/counters';
export type { DatabaseEvents } from './metrics/events';
export type { LeaseHolder } from './metrics/holder';
export type { ColumnKind, Instrument, InstrumentRow } from './metrics/instruments';
export type { ObserveOptions } from './metrics/observation';
export type { ObservedStatement, Observer, TransactionOutcome } from './metrics/observer';
export type { StatementMessage } from './metrics/statement-channel';
export type { TransactionMessage } from './metrics/transaction-channel';
export type { WaitMessage } from './metrics/wait-channel';
export type { LeakReport, RemovalReason } from './metrics/tracker';
/** @internal */
export { internals } from './internals';
export type { Health } from './pool/health';
export { explain } from './driver/explain';
export type { Circumstances } from './driver/classify';
export type { Explanation } from './driver/explanation';
export type { DefaultRows, Field, Result, ResultHeader, Row } from './driver/statement';
export type {
  StatementObject,
  StatementOptions,
  StatementValues,
} from './driver/statement-arguments';
export type { Bounds } from './limit';
export {
  BoomerangError,
  ClaimLostError,
  CommitInDoubtError,
  ConfigurationError,
  FactoryTimeoutError,
  FrameMismatchError,
  ImplicitCommitError,
  InvalidArgumentError,
  LeaseReleasedError,
  LockAcquireTimeoutError,
  LockLostError,
  NoTransactionError,
  PoolClosedError,
  PoolExhaustedError,
  SchemaError,
  StatementAbortedError,
  StatementTimeoutError,
  StreamOpenError,
  TransactionClosedError,
  TransactionControlError,
  TransactionDoomedError,
  TransactionOpenError,
  TransactionTimeoutError,
  TurnTimeoutError,
  UnsafeTopologyError,
  WrongTypeError,
  type Outcome,
  type PoolNumbers,
} from './errors';
/** @internal For the subpath entries: they take from here whatever is not in their own folder. */
export { checkOptionNames, describe } from './errors';
/** @internal For the command line. */
export { cacheTotals } from './cache/cache-totals';
/** @internal */
export { inspectTables } from './install';
/** @internal */
export { resolveOptions } from './options';
/** @internal */
export { partsOf } from './pooled-database';
/** @internal */
export { missingRights } from './schema/rights';
/** @internal */
export { checkPrefix } from './schema/table-prefix';
