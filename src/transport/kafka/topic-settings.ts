// The settings of a topic, between the port's words and Kafka's names.

import type { CleanupPolicy, TopicLimits, TopicRight, TopicSettings } from '../../port/transport.ts'

/** One entry of Kafka's configuration. */
export interface ConfigEntry {
  readonly name: string
  readonly value?: string | null | undefined
  /** Where the value comes from; see `setOnTopic`. */
  readonly configSource: number
}

/** The source of a value that was set on the topic itself; others are defaults of the broker. */
const setOnTopic = 1

const names = {
  cleanupPolicy: 'cleanup.policy',
  retentionMs: 'retention.ms',
  timestampType: 'message.timestamp.type'
} as const

const own: ReadonlySet<string> = new Set(Object.values(names))

/** Settings in Kafka's words; `extra` last, so that it can say more than the port has words for. */
export function configsOf(
  settings: TopicSettings
): readonly { readonly name: string; readonly value: string }[] {
  const { cleanupPolicy, retentionMs, timestampType, extra } = settings
  const configs = new Map([
    [names.cleanupPolicy, cleanupPolicy],
    [names.retentionMs, String(retentionMs)],
    [names.timestampType, timestampType === 'append' ? 'LogAppendTime' : 'CreateTime'],
    ...Object.entries(extra)
  ])
  return [...configs].map(([name, value]) => ({ name, value }))
}

export function settingsOf(entries: readonly ConfigEntry[]): TopicSettings {
  const values = new Map(entries.map(({ name, value }) => [name, value ?? '']))
  const extra = entries.flatMap(({ name, value, configSource }) => {
    const isExtra = configSource === setOnTopic && !own.has(name)
    return isExtra && typeof value === 'string' ? [[name, value] as const] : []
  })
  return {
    cleanupPolicy: policyOf(values.get(names.cleanupPolicy) ?? ''),
    retentionMs: Number(values.get(names.retentionMs) ?? -1),
    timestampType: values.get(names.timestampType) === 'LogAppendTime' ? 'append' : 'create',
    extra: Object.fromEntries(extra)
  }
}

/** The effective limits, whoever set them: a topic, or a broker for all of its topics. */
export function limitsOf(entries: readonly ConfigEntry[]): TopicLimits {
  const values = new Map(entries.map(({ name, value }) => [name, value ?? '']))
  const isStamped = values.get(names.timestampType) === 'LogAppendTime'
  const limit = (name: string): number | undefined => {
    const value = Number(values.get(name) ?? '')
    // No limit is written as the greatest number there is.
    return values.has(name) && Number.isSafeInteger(value) ? value : undefined
  }
  return {
    batchBytesMax: limit('max.message.bytes'),
    aheadMsMax: isStamped ? undefined : limit('message.timestamp.after.max.ms'),
    behindMsMax: isStamped ? undefined : limit('message.timestamp.before.max.ms')
  }
}

export function insyncMinOf(entries: readonly ConfigEntry[]): number {
  const found = entries.find(({ name }) => name === 'min.insync.replicas')
  return Number(found?.value ?? 1)
}

/** The operations of an ACL by their bit in what a broker says of a topic. */
const rightBits: readonly (readonly [TopicRight, number])[] = [
  ['read', 3],
  ['write', 4],
  ['delete', 6]
]
const unknownRights = -2_147_483_648

/** Undefined where the broker does not say. */
export function rightsOf(operations: number): readonly TopicRight[] | undefined {
  if (operations === unknownRights) return undefined
  return rightBits.flatMap(([right, bit]) => ((operations >> bit) & 1 ? [right] : []))
}

function policyOf(text: string): CleanupPolicy {
  const policies = new Set(text.split(',').map((one) => one.trim()))
  if (!policies.has('compact')) return 'delete'
  return policies.has('delete') ? 'compact,delete' : 'compact'
}
