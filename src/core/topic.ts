// Topics as users hold them: typed by their schemas, sending through whatever runs the app.
import type { TopicDeclaration } from './declarations.ts'
import type { EngineSlot, Metadata, UnsentRecord } from './engine.ts'

/** The part of a topic that needs no types. */
export interface TopicShape {
  readonly kind: 'topic'
  readonly name: string
  readonly declaration: TopicDeclaration
}

/** Headers as they are sent: text is written in UTF-8. */
export type HeadersInit = Readonly<Record<string, string | Uint8Array>>

/** The key is needed unless the topic accepts null. */
export type KeyPart<KI> = null extends KI ? { readonly key?: KI } : { readonly key: KI }

/** A record for `topic.send`: what the schemas take, before they make anything of it. */
export type SendRecord<KI, VI> = KeyPart<KI> & {
  /** Null, where the schema accepts it, is a tombstone. */
  readonly value: VI
  readonly headers?: HeadersInit
  /** Event time in ms since 1970. @default now */
  readonly timestamp?: number
  /** From 0. @default by the topic's partitioner; null keys spread */
  readonly partition?: number
}

/**
 * A topic of records with keys `K` and values `V`; `KI` and `VI` are what `send` takes. Works with
 * a worker in this program and without one: then the first `send` opens the log.
 */
export interface Topic<K, V, KI = K, VI = V> extends TopicShape {
  readonly '~types'?: { readonly key: K; readonly value: V } | undefined
  readonly '~accepts'?: ((key: KI, value: VI) => void) | undefined
  /**
   * Sends one record at once, outside any event; resolves when it is durable.
   *
   * @throws TAILRACE_SCHEMA_INVALID, TAILRACE_SCHEMA_NULL, TAILRACE_SCHEMA_ENCODE,
   *   TAILRACE_SCHEMA_TOO_LARGE above `recordBytesMax`,
   *   TAILRACE_CONFIG_INVALID for a partition that is not there,
   *   TAILRACE_TRANSPORT_UNAVAILABLE, TAILRACE_STATE_FULL
   */
  send(record: SendRecord<KI, VI>): Promise<Metadata>
}

/** Key type of a topic or stream. */
export type KeyOf<S> = S extends { readonly '~types'?: infer T }
  ? NonNullable<T> extends { readonly key: infer K }
    ? K
    : never
  : never

/** Value type of a topic or stream. */
export type ValueOf<S> = S extends { readonly '~types'?: infer T }
  ? NonNullable<T> extends { readonly value: infer V }
    ? V
    : never
  : never

/** What `send` of a topic takes as its key; `never` for derived streams. */
export type KeyInputOf<S> = AcceptedBy<S>['key']

/** What `send` of a topic takes as its value; `never` for derived streams. */
export type ValueInputOf<S> = AcceptedBy<S>['value']

type AcceptedBy<S> = S extends { readonly '~accepts'?: infer F }
  ? NonNullable<F> extends (key: infer KI, value: infer VI) => void
    ? { readonly key: KI; readonly value: VI }
    : Nothing
  : Nothing

interface Nothing {
  readonly key: never
  readonly value: never
}

/** Makes the handle of a declared topic. */
export function topicHandle<K, V, KI, VI>(
  declaration: TopicDeclaration,
  slot: EngineSlot
): Topic<K, V, KI, VI> {
  return {
    kind: 'topic',
    get name() {
      return declaration.name
    },
    declaration,
    send: (record: UnsentRecord) => slot.engine.send(declaration, record)
  }
}
