// Data plane. The parts an agent's function is handed, made afresh for each call of it.
import {
  type AgentDeclaration,
  isParallel,
  type TableDeclaration,
  type TopicDeclaration
} from '../core/declarations.ts'
import type { UnsentRecord } from '../core/engine.ts'
import { brokenInvariant, TailraceError } from '../core/errors.ts'
import type { OutgoingRecord } from '../port/transport.ts'
import { outgoing, type OutgoingContext, type Spreader } from './outgoing.ts'
import { OwnKeyShard, OwnKeyWindows } from './own-key-views.ts'
import type { RecordLimits } from './record-limits.ts'
import type { Scope } from './scope.ts'
import { asSendFailure } from './send-failures.ts'
import type { Shard } from './shard.ts'
import { ReadableShard, WritableShard } from './table-views.ts'
import { type OnLate, ReadableWindows, WritableWindows } from './windowed-views.ts'

export interface PartsContext {
  readonly shards: ReadonlyMap<TableDeclaration, Shard>
  readonly partitionsOf: (topic: string) => number
  readonly limits: RecordLimits
  readonly spreader: Spreader
  readonly onLate: OnLate
}

/** Shards and outputs under the user's names, bound to one call's scope. */
export function handedParts(
  agent: AgentDeclaration,
  scope: Scope,
  context: PartsContext
): Readonly<Record<string, unknown>> {
  const parts: Record<string, unknown> = {}
  for (const [name, table] of Object.entries(agent.tables)) {
    const shard = shardOf(table, context)
    parts[name] = isParallel(agent)
      ? ownKeyView(shard, scope, context)
      : writable(shard, scope, context)
  }
  for (const [name, table] of Object.entries(agent.reads)) {
    const shard = shardOf(table, context)
    parts[name] =
      table.window === undefined ? new ReadableShard(shard) : new ReadableWindows(shard, scope)
  }
  for (const [name, topic] of Object.entries(agent.outputs)) {
    parts[name] = new OutputRun(topic, scope, context)
  }
  return Object.freeze(parts)
}

function writable(
  shard: Shard,
  scope: Scope,
  { onLate }: PartsContext
): WritableShard | WritableWindows {
  return shard.table.window === undefined
    ? new WritableShard(shard, scope)
    : new WritableWindows(shard, scope, onLate)
}

function ownKeyView(shard: Shard, scope: Scope, context: PartsContext): unknown {
  const inner = writable(shard, scope, context)
  return inner instanceof WritableShard
    ? new OwnKeyShard(inner, shard, scope)
    : new OwnKeyWindows(inner, shard, scope)
}

function shardOf(table: TableDeclaration, context: PartsContext): Shard {
  const shard = context.shards.get(table)
  if (shard === undefined) throw brokenInvariant(`table "${table.name}" has no shard in this task`)
  return shard
}

/** A declared output: its records are part of the open event's effect. */
class OutputRun {
  readonly #topic: TopicDeclaration
  readonly #scope: Scope
  readonly #context: PartsContext

  constructor(topic: TopicDeclaration, scope: Scope, context: PartsContext) {
    this.#topic = topic
    this.#scope = scope
    this.#context = context
  }

  send(record: UnsentRecord): void {
    sendWithin(this.#topic, record, this.#scope, this.#context)
  }
}

/**
 * Puts a record into the journal of the open event.
 *
 * @throws TAILRACE_AGENT_NO_EVENT when none is open, or the call was given up
 */
export function sendWithin(
  topic: TopicDeclaration,
  record: UnsentRecord,
  scope: Scope,
  context: PartsContext
): void {
  const event = scope.require('sent to', topic.name)
  const settings: OutgoingContext = {
    limits: context.limits,
    partitionsOf: context.partitionsOf,
    timestamp: event.timestamp
  }
  try {
    scope.journal.send(outgoingNow(topic, record, settings, context.spreader))
  } catch (error) {
    throw asSendFailure(error)
  }
}

function outgoingNow(
  topic: TopicDeclaration,
  record: UnsentRecord,
  context: OutgoingContext,
  spreader: Spreader
): OutgoingRecord {
  const made = outgoing(topic, record, context, spreader)
  if (!(made instanceof Promise)) return made
  // Its outcome is not wanted: an output must be valid before its event goes on.
  made.then(undefined, () => undefined)
  throw new TailraceError(
    'TAILRACE_SCHEMA_ASYNC',
    `the schema of "${topic.name}" validates asynchronously, and an output is sent at once`
  )
}
