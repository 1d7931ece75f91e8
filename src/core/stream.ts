// Streams as users hold them: a description of the way from topics to an agent, nothing that runs.
import type { GroupDeclaration, Step, StreamDeclaration } from './declarations.ts'
import type { Event } from './event.ts'
import type { Schema } from './schema.ts'
import type { Codec } from './codec.ts'
import type { TopicShape } from './topic.ts'

export interface StreamShape {
  readonly kind: 'stream'
  readonly declaration: StreamDeclaration
}

/** How the new keys of a `groupBy` are written. */
export interface GroupOptions<K> {
  /** Partitions of the repartition topic, from 1. @default the largest count among the sources */
  readonly partitions?: number
  /** Schema of the new key, checked when it is written and read. @default none */
  readonly key?: Schema<unknown, K>
  /** Codec of the new key. @default string */
  readonly codec?: Codec
}

/** What strings alone have: as a bound it leaves `string` wide, where `string` itself would not. */
interface Text {
  codePointAt(position: number): number | undefined
}

/**
 * Events on their way to an agent. Every step is synchronous; the agent's loop is the escape. A
 * step that throws fails its event; one that returns a promise does by TAILRACE_AGENT_ASYNC_STEP.
 *
 * Each call describes a further step and changes nothing: streams can be shared.
 */
export interface Stream<K, V> extends StreamShape {
  readonly '~types'?: { readonly key: K; readonly value: V } | undefined
  /** The same key with another value, which is frozen. */
  map<U>(change: (event: Event<K, V>) => U): Stream<K, U>
  /** Only the events for which the test is true; the others are finished, and counted. */
  filter<W extends V>(test: (event: Event<K, V>) => event is Event<K, W>): Stream<K, W>
  filter(test: (event: Event<K, V>) => boolean): Stream<K, V>
  /** Looks at each event and changes nothing: for logging and counting. */
  tap(look: (event: Event<K, V>) => void): Stream<K, V>
  /**
   * Events of all the streams, as the task takes them: the smallest timestamp first (KIP-695,
   * option `taskIdle`). Their topics must have equal partition counts.
   */
  merge(...others: readonly (Stream<K, V> | MergeableTopic<K, V>)[]): Stream<K, V>
  /**
   * Sends each event through a topic of its own, by a new key, so that all events of one key
   * reach one task. The topic is called `{app}-{name}-repartition`; it keeps what was not read yet,
   * however old, and loses what was. Keys are strings, unless a codec says how others are written.
   *
   * @throws TAILRACE_CONFIG_INVALID for a name or an option that cannot be
   */
  groupBy<K2>(
    name: string,
    key: (event: Event<K, V>) => K2,
    options: GroupOptions<K2> & { readonly codec: Codec }
  ): Stream<K2, V>
  groupBy<K2 extends Text>(
    name: string,
    key: (event: Event<K, V>) => K2 | null,
    options?: GroupOptions<K2>
  ): Stream<K2, V>
}

/** A topic whose events can join a stream of the same types. */
export interface MergeableTopic<K, V> extends TopicShape {
  readonly '~types'?: { readonly key: K; readonly value: V } | undefined
}

/** What a stream needs of the app it was made by. */
export interface StreamHost {
  declareGroup(
    from: StreamDeclaration,
    name: string,
    keyOf: GroupDeclaration['keyOf'],
    options: GroupOptions<never>
  ): GroupDeclaration
}

/** The stream of a topic or of another stream's declaration. */
export function declarationOf(source: TopicShape | StreamShape): StreamDeclaration {
  if (source.kind === 'stream') return source.declaration
  return { kind: 'source', topic: source.declaration }
}

/** Makes the handle of a stream. */
export function streamHandle<K, V>(declaration: StreamDeclaration, host: StreamHost): Stream<K, V> {
  const then = <U>(kind: Step['kind'], run: Step['run']): Stream<K, U> =>
    streamHandle({ kind: 'step', from: declaration, step: { kind, run } }, host)
  return {
    kind: 'stream',
    declaration,
    map: (change) => then('map', change as Step['run']),
    filter: (test: unknown) => then<never>('filter', test as Step['run']),
    tap: (look) => then('tap', look as Step['run']),
    merge: (...others) =>
      streamHandle({ kind: 'merge', from: [declaration, ...others.map(declarationOf)] }, host),
    groupBy: <K2>(name: string, key: unknown, given?: object): Stream<K2, V> => {
      const keyOf = key as GroupDeclaration['keyOf']
      const options = (given ?? {}) as GroupOptions<never>
      return streamHandle(host.declareGroup(declaration, name, keyOf, options), host)
    }
  }
}
