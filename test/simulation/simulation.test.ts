// Whatever goes wrong and whenever: tables and outputs are what a fold of the input says, exactly.
//
// TAILRACE_SIM_SEEDS=2000 runs more seeds; TAILRACE_SIM_SEED=17 replays one and prints its trace.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kind, kinds } from './faults.ts'
import { type Outcome, readingKey, simulate } from './simulator.ts'

const asked = process.env['TAILRACE_SIM_SEED']
const seedsMax = Number(process.env['TAILRACE_SIM_SEEDS'] ?? 200)
const seeds =
  asked === undefined ? Array.from({ length: seedsMax }, (_, index) => index + 1) : [Number(asked)]
/** Below this some faults may not have had their chance. */
const seedsForAllFaults = 200

const options = { timeout: 60_000 + seeds.length * 3_000 }

test('every seed comes out as the oracle says', options, async () => {
  const sometimes = new Map<Kind, number>()
  const failed: number[] = []
  for (const seed of seeds) {
    const outcome = await run(seed, sometimes)
    if (outcome.problems.length === 0 && asked === undefined) continue
    if (outcome.problems.length > 0) failed.push(seed)
    if (failed.length <= 1) tell(seed, outcome)
  }
  assert.deepEqual(failed, [], failed.map((seed) => `replay: ${replay(seed)}`).join('\n'))
  if (seeds.length < seedsForAllFaults) return
  const missing = kinds.filter((kind) => !sometimes.has(kind))
  assert.deepEqual(missing, [], 'these never happened, so nothing is known about them')
})

test('the same seed gives the same run', options, async () => {
  for (const seed of seeds.slice(0, 5)) {
    const [first, second] = [await run(seed, new Map()), await run(seed, new Map())]
    assert.deepEqual(second.trace, first.trace, `seed ${seed}`)
    assert.equal(second.digest, first.digest, `seed ${seed}`)
  }
})

test('other seeds give other runs', options, async () => {
  const digests = [await run(1, new Map()), await run(2, new Map())].map(({ digest }) => digest)
  assert.notEqual(digests[0], digests[1])
})

async function run(seed: number, sometimes: Map<Kind, number>): Promise<Outcome> {
  try {
    return await simulate(seed, sometimes)
  } catch (error) {
    throw new Error(`seed ${seed} threw; replay: ${replay(seed)}`, { cause: error })
  }
}

function replay(seed: number): string {
  return `TAILRACE_SIM_SEED=${seed} npm run test:sim`
}

function tell(seed: number, { problems, trace }: Outcome): void {
  const lines = [`seed ${seed}`, readingKey, ...trace, '', ...problems.slice(0, 20)]
  process.stderr.write(`${lines.join('\n')}\n`)
}
