// Kafka as tests of whole apps have it: names of their own on a broker, workers, what they left.
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { App, AppOptions } from 'tailrace'
import { z } from 'zod'
import { createKafkaTransport } from '../../src/transport/kafka/index.ts'
import { AppLog } from '../runtime/app-log.ts'
import { ownName } from './member.ts'

export class KafkaLog extends AppLog {
  private constructor(directory: string, url: string, options: Partial<AppOptions>) {
    const id = options.id ?? ownName('app')
    const transport = createKafkaTransport({ url })
    super({ directory, transport, options: { broker: url, sessionTimeout: '6s', ...options, id } })
  }

  /** `url` is the way in of the test itself; `options` may name another for the apps. */
  static async open(
    t: TestContext,
    url: string,
    options: Partial<AppOptions> = {}
  ): Promise<KafkaLog> {
    const log = new KafkaLog(await mkdtemp(join(tmpdir(), 'tailrace-kafka-app-')), url, options)
    t.after(() => log.close())
    await log.transport.open()
    return log
  }

  /** Names that begin with the app's are no other test's. */
  override name(title: string): string {
    return `${this.id}-${title}`
  }
}

/** Counts the records of `{id}-in` by key into a table, and sends each count to `{id}-out`. */
export function countingApp(log: KafkaLog, options: Partial<AppOptions> = {}): App {
  const app = log.app(options)
  const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
  const source = app.topic(log.name('in'), { key: z.string(), value: z.number() })
  const out = app.topic(log.name('out'), { key: z.string(), value: z.number(), partitions: 1 })
  app.each('count', { source, tables: { counts }, outputs: { out } }, ({ key }, parts) => {
    parts.out.send({ key, value: parts.counts.update(key, (count) => count + 1) })
  })
  return app
}
