// Recovery itself is interrupted: what a killed worker left is found by one that is killed too.
import { scene } from './run.ts'

scene('killed twice at the same place', async (one) => {
  await one.send(500)
  for (const failpoint of ['commit.ended:2', 'commit.ended:1']) {
    const worker = one.worker({ failpoint })
    await one.sendUntil(() => worker.hasEnded)
    await worker.ends({ signal: 'SIGKILL' })
  }
  await one.finish()
})

scene('killed at one place after another', async (one) => {
  await one.send(500)
  const inside = one.log.name === 'embedded' ? 'embedded.write.bytes:3' : 'kafka.end.sent:3'
  for (const failpoint of [inside, 'commit.stored:1', 'event.open:40']) {
    const worker = one.worker({ failpoint })
    await one.sendUntil(() => worker.hasEnded)
    await worker.ends({ signal: 'SIGKILL' })
  }
  await one.finish()
})
