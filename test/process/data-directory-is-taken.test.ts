// Workers that share a data directory each take a part of it; who dies leaves his to the next.
import assert from 'node:assert/strict'
import { scene } from './run.ts'

scene("the second takes the next part, and a killed one's part is free again", async (one) => {
  await one.send(200)
  const first = await one.worker().started()
  const second = await one.worker().started()
  assert.match(first.text, /data\/worker-0$/m)
  assert.match(second.text, /data\/worker-1$/m)
  await first.kill()
  const third = await one.worker().started()
  assert.match(third.text, /data\/worker-0$/m)
  await one.send(200)
  await one.settled()
  await second.stop()
  await third.stop()
  await one.verify()
})
