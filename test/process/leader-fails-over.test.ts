// One leader at a time: by TERM and by kill -9 another one follows, in a later epoch.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { scene, type Scene } from './run.ts'
import type { WorkerProcess } from './worker-process.ts'

const module = 'leading.ts'

function epochsOf(worker: WorkerProcess): Set<number> {
  const ticks = worker.text.matchAll(/^tick in epoch (\d+) isLeader=true$/gm)
  return new Set([...ticks].map(([, epoch]) => Number(epoch)))
}

async function leaderAmong(workers: readonly WorkerProcess[]): Promise<WorkerProcess> {
  const until = performance.now() + 60_000
  while (performance.now() < until) {
    const leader = workers.find((worker) => epochsOf(worker).size > 0)
    if (leader !== undefined) return leader
    await sleep(20)
  }
  return assert.fail('nobody leads')
}

async function failsOver(one: Scene, end: (leader: WorkerProcess) => Promise<void>): Promise<void> {
  const begin = (data: string): Promise<WorkerProcess> => one.worker({ module, data }).started()
  let waiting = [await begin('a'), await begin('b'), await begin('c')]
  const leaders: WorkerProcess[] = []
  while (waiting.length > 0) {
    const leader = await leaderAmong(waiting)
    waiting = waiting.filter((worker) => worker !== leader)
    leaders.push(leader)
    await end(leader)
  }
  const epochs = leaders.map((leader) => [...epochsOf(leader)])
  const flat = epochs.flat()
  assert.equal(new Set(flat).size, flat.length, `an epoch with two leaders: ${flat.join()}`)
  assert.deepEqual(
    flat,
    flat.toSorted((a, b) => a - b),
    'epochs grow from leader to leader'
  )
  for (const { text } of leaders) assert.doesNotMatch(text, /isLeader=false|epoch undefined/)
}

scene('on TERM', (one) => failsOver(one, (leader) => leader.stop()))
scene('on kill -9', (one) => failsOver(one, (leader) => leader.kill()))
