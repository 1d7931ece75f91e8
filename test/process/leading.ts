// An app whose timer runs on the leader: each run prints the epoch it led in.
import { createApp } from 'tailrace'

const suffix = process.env['SCENE_SUFFIX'] ?? ''
const app = createApp({ id: `leading${suffix}`, web: false })
app.topic(`nothing${suffix}`, { partitions: 2 })
app.timer('tick', { every: '50ms', onLeader: true, immediate: true }, () => {
  process.stdout.write(`tick in epoch ${app.leaderEpoch} isLeader=${app.isLeader}\n`)
})
await app.main()
