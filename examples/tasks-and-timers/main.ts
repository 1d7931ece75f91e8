// What a worker does besides events: once at its start, at intervals, and on one worker only.
import { setTimeout as sleep } from 'node:timers/promises'
import { createApp } from 'tailrace'

export const app = createApp({ id: 'tasks-and-timers' })

const heartbeats = app.topic('heartbeats')

app.agent('listen', { source: heartbeats }, async (events) => {
  for await (const event of events) console.log(`heartbeat ${JSON.stringify(event.value)}`)
})

// Once, when the worker runs. What takes long gets the signal, which aborts when it stops.
app.task('greet', {}, async ({ signal }) => {
  console.log('task: the worker runs')
  await sleep(60_000, undefined, { signal })
})

// On the one worker that leads; when that one dies, the next leader starts it anew.
app.task('lead', { onLeader: true }, () => {
  console.log('task: this worker leads')
})

// On every worker, the first run at once.
let beats = 0
app.timer('beat', { every: '1s', immediate: true }, async () => {
  beats += 1
  await heartbeats.send({ key: String(process.pid), value: { beats } })
})

// On the leader alone. A run that takes longer than `every` delays the next: two never overlap.
app.timer('census', { every: '1s', onLeader: true }, () => {
  console.log(`timer: the leader counts ${beats} heartbeats of its own`)
})

if (import.meta.main) await app.main()
