// One of two workers dies while tasks are on their way from one to the other.
import { scene } from './run.ts'

scene('the joining one is killed at its first commit', async (one) => {
  await one.send(300)
  const first = await one.worker({ data: 'first' }).started()
  const second = one.worker({ data: 'second', failpoint: 'commit.ended:1' })
  await one.sendUntil(() => second.hasEnded)
  await second.ends({ signal: 'SIGKILL' })
  await one.send(200)
  await one.settled()
  await first.stop()
  await one.verify({ data: ['first', 'second'] })
})

scene('the one that hands over is killed', async (one) => {
  await one.send(300)
  const first = await one.worker({ data: 'first' }).started()
  const second = one.worker({ data: 'second' })
  await one.sendUntil(() => /^web +/m.test(second.text))
  await first.kill()
  await one.send(200)
  await second.started()
  await one.settled()
  await second.stop()
  await one.verify({ data: ['first', 'second'] })
})

scene('the joining one is killed while it restores what it was given', async (one) => {
  await one.send(2_000)
  const first = await one.worker({ data: 'first' }).started()
  await one.settled()
  const second = one.worker({ data: 'second', failpoint: 'restore.batch:1' })
  await one.sendUntil(() => second.hasEnded)
  await second.ends({ signal: 'SIGKILL' })
  await one.settled()
  await first.stop()
  await one.verify({ data: ['first', 'second'] })
})
