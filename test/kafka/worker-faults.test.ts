// Two workers, or three, under random faults of network, broker and processes: for each seed
// everything is counted once. TAILRACE_FAULT_SEED repeats one; FAULT_MS is how long it lasts, and
// FAULT_NODES=3 asks for three brokers.
import { test } from 'node:test'
import { harmedScene } from './harmed-scene.ts'
import { proxiedBrokerOfTests } from './proxy.ts'
import { RandomFaults } from './worker-faults.ts'

const timeout = 300_000
const named = process.env['TAILRACE_FAULT_SEED']
const seeds = named === undefined ? [1, 2, 3] : named.split(',').map(Number)
const forMs = Number(process.env['FAULT_MS'] ?? 15_000)
const broker = proxiedBrokerOfTests(process.env['FAULT_NODES'] === '3' ? { nodes: 3 } : {})

for (const seed of seeds) {
  const name = `nothing is lost or doubled by the faults of TAILRACE_FAULT_SEED=${seed}`
  test(name, { timeout }, async (t) => {
    const scene = await harmedScene(t, broker)
    const say = (what: string): void => t.diagnostic(what)
    const workers = 2 + (seed % 2)
    const faults = new RandomFaults({ scene, broker, seed, forMs, workers, say })
    await faults.run()
    await scene.verify({ data: faults.places })
  })
}
