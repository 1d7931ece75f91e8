// The heap of a process that makes many objects, with and without its bounds.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { percentFor } from './heap.ts'

const heap = new URL('./heap.ts', import.meta.url).href
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
