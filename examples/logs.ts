// Examples run on the embedded log and on Kafka by one variable: each test is declared for both.
import { after, test, type TestContext } from 'node:test'
import type { KafkaCluster } from '../scripts/kafka/cluster.ts'
import { ownBroker } from '../test/kafka/broker.ts'
import { Session } from '../test/kafka/session.ts'

/** What the programs of a test find in their environment, beside what the test gives them. */
export type LogEnvironment = Readonly<Record<string, string>>

/** Of one test file, since examples have fixed names, and files may run side by side. */
let started: Promise<KafkaCluster> | undefined

after(async () => {
  await (await started)?.stop()
})

export function onEachLog(
  name: string,
  options: { readonly timeout: number },
  run: (t: TestContext, environment: LogEnvironment) => Promise<void>
): void {
  test(`${name} (embedded)`, options, (t) => run(t, {}))
  test(`${name} (Kafka)`, options, async (t) => {
    started ??= ownBroker()
    const broker = await started
    // The programs of the inner test have ended when it has.
    await t.test('on Kafka', (t) => run(t, environmentOf(broker.url())))
    await clear(broker.port('plain'))
  })
}

/** Who is killed is missed as soon as on the embedded log. */
function environmentOf(url: string): LogEnvironment {
  return { TAILRACE_BROKER: url, TAILRACE_SESSION_TIMEOUT: '3s', TAILRACE_HEARTBEAT: '200ms' }
}

/** The next test finds nothing of this one: offsets go with their topics. */
async function clear(port: number): Promise<void> {
  await using session = await Session.open({ host: '127.0.0.1', port })
  const { topics } = await session.cluster.describe(undefined)
  const names = topics.flatMap(({ name }) => name ?? []).filter((name) => !name.startsWith('__'))
  await session.admin.delete(names)
}
