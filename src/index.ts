/**
 * Tailrace: stream processing for TypeScript. This is the surface; it only names what lies behind.
 *
 * @module
 */
export type { Agent, Events, Output, Sink, Task, TaskLog, Uses } from './core/agent.ts'
export { binary, type Codec, json, pipe, raw, string } from './core/codec.ts'
export {
  type Decision,
  deadLetter,
  type FailedRecord,
  type Failure,
  type OnError,
  type RetryOptions,
  retry,
  skip,
  stop
} from './core/decision.ts'
export type { BackgroundContext, LateEvent } from './core/declarations.ts'
export type { TableOptions, TopicOptions } from './core/declare-options.ts'
export type { Duration } from './core/duration.ts'
export type {
  Answer,
  Coverage,
  Metadata,
  Pane,
  QueryRange,
  Scan,
  ScanOptions
} from './core/engine.ts'
export { type ErrorCode, hasCode, TailraceError } from './core/errors.ts'
export type { Event } from './core/event.ts'
export type { DeepReadonly } from './core/freeze.ts'
export { crc32Partitioner, murmur2Partitioner, type Partitioner } from './core/partitioner.ts'
export type { InputOf, OutputOf, Schema } from './core/schema.ts'
export type { GroupOptions, Stream } from './core/stream.ts'
export type { Moment, Panes, Shard, Table, WindowedShard } from './core/table.ts'
export type { HeadersInit, SendRecord, Topic } from './core/topic.ts'
export type { Topology } from './core/topology.ts'
export { hopping, tumbling, type Window, type WindowOptions } from './core/window.ts'
export {
  type App,
  createApp,
  type EachOptions,
  type TaskOptions,
  type TimerOptions,
  type TopicOf
} from './host/app.ts'
export type { NodeContext, NodeHook } from './host/node-hooks.ts'
export type {
  AppOptions,
  RunOptions,
  SaslOptions,
  StoreFactory,
  TlsOptions,
  TransportContext,
  TransportFactory,
  WebOptions
} from './host/options.ts'
export type { StartOptions, Worker } from './host/runner.ts'
export type { SwarmLimits, SwarmOptions } from './host/swarm-options.ts'
export type { FixedPartitions } from './core/fixed-tasks.ts'
export type { NodePlace } from './runtime/node-place.ts'
export type { Cancel, Clock } from './port/clock.ts'
export type {
  Checkpoint,
  ShardId,
  Store,
  StoreBatch,
  StoreIdentity,
  StoreRange,
  StoreRow
} from './port/store.ts'
export type {
  BeatAnswer,
  Coordinator,
  GroupView,
  JoinRequest,
  MemberView,
  OwnedTask
} from './port/coordinator.ts'
export type {
  Admin,
  CleanupPolicy,
  CommittedOffset,
  Delivery,
  FetchedChunk,
  Fetcher,
  FetchPosition,
  OutgoingRecord,
  PartitionEnd,
  PartitionRange,
  Producer,
  TaskCommit,
  ThreadDoor,
  TopicDescription,
  TopicPartition,
  TopicSettings,
  TopicSpec,
  TransactionalProducer,
  TransactionReport,
  Transport,
  TransportFeatures
} from './port/transport.ts'
export type { Log } from './runtime/log.ts'
export type { TaskStatus, WorkerStatus } from './runtime/worker.ts'
