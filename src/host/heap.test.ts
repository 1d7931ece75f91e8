// The heap of a process that makes many objects, with and without its bounds.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { oldBytesMax } from '../runtime/heap-share.ts'
import { percentFor } from './heap.ts'

const heap = new URL('./heap.ts', import.meta.url).href
const share = new URL('../runtime/heap-share.ts', import.meta.url).href
// Half of what is made survives a while: that is what makes V8 enlarge the space for new objects.
const program = (isBound: boolean): string => `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { setImmediate as turn } from 'node:timers/promises'
  import { boundHeapGrowth } from ${JSON.stringify(heap)}
  if (${isBound}) boundHeapGrowth()
  let kept = []
  for (let round = 0; round < 300; round++) {
    for (let i = 0; i < 20_000; i++) kept.push({ i, text: 'x' + i })
    if (kept.length > 100_000) kept = kept.slice(50_000)
    await turn()
  }
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  console.log(young.space_size / 1_048_576)
`

async function youngMebibytes(isBound: boolean, flags: readonly string[] = []): Promise<number> {
  const args = [...flags, '--input-type=module', '--eval', program(isBound)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 })
  return Number(stdout)
}

test('the space for new objects stops growing soon after 32 MB', async () => {
  const unbound = await youngMebibytes(false)
  const bound = await youngMebibytes(true)
  assert.ok(unbound >= 64, `${unbound} MB without bounds`)
  assert.ok(bound < unbound, `${bound} MB, ${unbound} without bounds`)
})

test('what the command line says about the heap stays', async () => {
  assert.equal(await youngMebibytes(true, ['--max-semi-space-size=32']), 64)
})

test('old objects may double, and in a small heap grow by 96 MB', () => {
  const megabyte = 1_048_576
  assert.equal(percentFor(1_000 * megabyte), 100)
  assert.equal(percentFor(96 * megabyte), 100)
  assert.equal(percentFor(48 * megabyte), 200)
  assert.equal(percentFor(10 * megabyte), 400)
})

// Keeps all that it makes, in small pieces: the last piece before its end is the fullest heap.
const filling = `
  import { writeSync } from 'node:fs'
  import { setImmediate as turn } from 'node:timers/promises'
  import { boundHeapGrowth } from ${JSON.stringify(heap)}
  import { heapPercent } from ${JSON.stringify(share)}
  boundHeapGrowth()
  const kept = []
  for (;;) {
    kept.push(Array.from({ length: 2_000 }, (_, i) => ({ i, text: 'x' + i })))
    writeSync(1, heapPercent() + ' ')
    await turn()
  }
`

async function lastPercents(flags: readonly string[]): Promise<readonly number[]> {
  const args = [...flags, '--input-type=module', '--eval', filling]
  const run = promisify(execFile)(process.execPath, args, { timeout: 60_000 })
  const error: unknown = await run.then(
    () => assert.fail('it has not run out of memory'),
    (error: unknown) => error
  )
  assert.ok(error instanceof Error && 'stdout' in error && 'stderr' in error)
  assert.match(String(error.stderr), /heap out of memory/)
  return String(error.stdout).trim().split(' ').map(Number)
}

for (const flags of [['--max-old-space-size=200'], ['--max-heap-size=300']]) {
  test(`a heap is seen to fill up before it is full (${flags.join(' ')})`, async () => {
    const percents = await lastPercents(flags)
    const [first = NaN, last = NaN] = [percents[0], percents.at(-1)]
    assert.ok(first < 20, `${first} % when it has begun`)
    assert.ok(last > 95 && last < 110, `${last} % at its end`)
  })
}

test('what old objects may take is the limit without the space for new ones', () => {
  const megabyte = 1_048_576
  const limits: readonly (readonly [limit: number, flags: readonly string[], old: number])[] = [
    [392, ['--max-old-space-size=200'], 200],
    [392, ['--max_old_space_size=100', '--max-old-space-size=200'], 200],
    [124, ['--max-semi-space-size=5'], 100],
    [4_288, [], 4_096]
  ]
  for (const [limit, flags, old] of limits) {
    assert.equal(oldBytesMax(limit * megabyte, flags) / megabyte, old, flags.join(' '))
  }
})
