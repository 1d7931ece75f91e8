// Our own side of a test on Kafka: a cluster, new topics, and all that can be read of one.
import { randomBytes } from 'node:crypto'
import { BatchCursor } from '../../src/core/batch-cursor.ts'
import type { TopicPartition } from '../../src/port/transport.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { KafkaAdmin } from '../../src/transport/kafka/admin.ts'
import { Cluster } from '../../src/transport/kafka/cluster.ts'
import { KafkaFetcher } from '../../src/transport/kafka/fetcher.ts'
import { plaintext } from '../../src/transport/kafka/security.ts'
import type { ReadTextRecord } from './java-clients.ts'

export interface ReadOptions {
  readonly partitions: number
  /** Of a fetch; default 1 MiB. */
  readonly bytesMax?: number
  readonly partitionBytesMax?: number
  readonly isolation?: 'read-committed' | 'read-uncommitted'
}

export class Session {
  readonly cluster: Cluster
  readonly admin: KafkaAdmin

  private constructor(cluster: Cluster) {
    this.cluster = cluster
    this.admin = new KafkaAdmin(cluster)
  }

  static async open({ host, port }: { host: string; port: number }): Promise<Session> {
    const brokers = [{ host, port }]
    const parts = { brokers, security: plaintext, clientId: 'tailrace-test', clock: realClock }
    const cluster = new Cluster(parts)
    try {
      await cluster.connect()
      return new Session(cluster)
    } catch (error) {
      await cluster.close()
      throw error
    }
  }

  /** Creates a topic of a new name that begins with `title`. */
  async topic(title: string, partitions = 1): Promise<string> {
    const name = `${title}-${randomBytes(5).toString('hex')}`
    const settings = {
      cleanupPolicy: 'delete',
      retentionMs: -1,
      timestampType: 'create',
      extra: {}
    } as const
    await this.admin.create([{ name, partitions, replication: 1, settings }])
    return name
  }

  /** Everything up to the end that a reader of this isolation sees now, in order of partitions. */
  async readAll(topic: string, options: ReadOptions): Promise<ReadTextRecord[]> {
    const { bytesMax = 1_048_576, isolation, partitionBytesMax, partitions } = options
    const fetcher = new KafkaFetcher({
      cluster: this.cluster,
      clock: realClock,
      ...(isolation !== undefined && { isolation }),
      ...(partitionBytesMax !== undefined && { partitionBytesMax })
    })
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    const left = new Set(all.map(({ partition }) => partition))
    const records: ReadTextRecord[] = []
    const positions = new Map<number, number>()
    try {
      fetcher.add(all.map((one) => ({ ...one, offset: 0 })))
      while (left.size > 0) {
        for (const chunk of await fetcher.fetch({ bytesMax, waitMaxMs: 500 })) {
          const from = positions.get(chunk.partition) ?? 0
          records.push(...recordsOf(chunk, chunk.bytes, from))
          positions.set(chunk.partition, chunk.nextOffset)
          if (chunk.nextOffset >= chunk.end) left.delete(chunk.partition)
        }
      }
    } finally {
      await fetcher.close()
    }
    return records.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.close()
  }
}

function recordsOf(
  { partition }: TopicPartition,
  bytes: Buffer,
  fromOffset: number
): ReadTextRecord[] {
  const cursor = new BatchCursor()
  const records: ReadTextRecord[] = []
  cursor.reset(bytes, fromOffset)
  while (cursor.next()) {
    const headers = cursor.headers().map(({ key, value }) => `${key}:${String(value)}`)
    records.push({
      partition,
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      key: cursor.key()?.toString() ?? null,
      value: cursor.value()?.toString() ?? null,
      headers: headers.join(',')
    })
  }
  return records
}
