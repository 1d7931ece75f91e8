// Two workers under load, killed at random moments by a seed; a new one takes the place of each.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { consumeByJava } from '../kafka/java-clients.ts'
import { outputProblems } from './ledger.ts'
import { type Scene, scene } from './run.ts'
import type { Seen } from './visits.ts'
import type { WorkerProcess } from './worker-process.ts'

const kills = 6
const seed = Number(process.env['SEED'] ?? 20_261_121)

/** Numbers from 0 to 1 that a seed repeats (a 32-bit linear congruence). */
function numbersFrom(start: number): () => number {
  let state = start >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}

scene(`nothing is lost or doubled over ${kills} random kills (SEED=${seed})`, async (one) => {
  const random = numbersFrom(seed)
  const begin = (place: number): WorkerProcess => one.worker({ data: `data-${place}` })
  const workers = [begin(0), begin(1)]
  let isOver = false
  const load = one.sendUntil(() => isOver, { slice: 40, everyMs: 10 })
  for (let kill = 0; kill < kills; kill++) {
    // From before it has joined until well under way: a start takes about half a second.
    await sleep(200 + random() * 900)
    const place = random() < 0.5 ? 0 : 1
    await workers[place]?.kill()
    workers[place] = begin(place)
  }
  isOver = true
  await load
  for (const worker of workers) await worker.started()
  await one.settled()
  for (const worker of workers) await worker.stop()
  await one.verify({ data: ['data-0', 'data-1'] })
  if (one.log.name === 'Kafka') await verifyByJava(one)
})

/** What Kafka's own consumer finds, which knows only what is committed. */
async function verifyByJava({ log, names, sent }: Scene): Promise<void> {
  const servers = log.broker.replace('kafka://', '')
  const found = await consumeByJava({ servers, topic: names.seen, count: sent.length })
  const seen = found.map(({ value }) => JSON.parse(value ?? '') as Seen)
  assert.deepEqual(outputProblems(sent, seen), [])
}
