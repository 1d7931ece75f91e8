// A worker that sleeps beyond its session at the worst moments: what it wakes up with is not taken.
import type { FailpointLabel } from '../../src/port/failpoint.ts'
import { logsOf } from './logs.ts'
import { type Scene, scene } from './run.ts'
import { checkStore } from './store-check.ts'

const moments: readonly (readonly [label: FailpointLabel, n: number])[] = [
  ['fetch.received', 4],
  ['event.open', 150],
  ['commit.frozen', 4],
  ['kafka.end.sent', 4],
  ['commit.ended', 4],
  ['commit.stored', 4]
]

async function sleepsAt(one: Scene, failpoint: string): Promise<void> {
  await one.send(300)
  const sleeper = one.worker({ data: 'sleeper', failpoint: `${failpoint}:stop` })
  await one.sendUntil(() => sleeper.isAsleep)
  const other = await one.worker({ data: 'other' }).started()
  await one.send(200)
  await one.settled()

  sleeper.signal('SIGCONT')
  await sleeper.line(/given this worker up|owned by another worker/)
  await one.send(200)
  await one.settled()
  await sleeper.kill()
  await checkStore(one.log, one.place('sleeper'))
  await one.send(200)
  await one.settled()
  await other.stop()
  await one.verify({ data: ['sleeper', 'other'] })
}

for (const [label, n] of moments) {
  const name = `asleep at ${label}: nothing is lost or doubled, and its tables are not ahead`
  scene(name, (one) => sleepsAt(one, `${label}:${n}`), logsOf(label))
}
