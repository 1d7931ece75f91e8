// Three workers: whichever leads is killed, then the next is stopped; one other goes on each time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyFolder, Program } from '../program.ts'

const said = /^leader since generation (\d+) says (.+)$/

/** Greetings that a program said as the leader. */
function greetings(program: Program): string[] {
  return program.lines.flatMap((line) => said.exec(line)?.[2] ?? [])
}

/** The one that speaks next; then it must be the only one that spoke, thrice in a row. */
async function onlyLeader(programs: readonly Program[]): Promise<Program> {
  const before = new Map(programs.map((one) => [one, greetings(one).length]))
  const grew = (one: Program): number => greetings(one).length - (before.get(one) ?? 0)
  const leader = await Promise.any(
    programs.map(async (one) => {
      await one.until(() => grew(one) >= 3, 'three greetings')
      return one
    })
  )
  for (const one of programs) if (one !== leader) assert.equal(grew(one), 0, 'two workers lead')
  return leader
}

/** Everything the program said is heard somewhere. */
async function untilHeard(speaker: Program, programs: readonly Program[]): Promise<void> {
  const all = greetings(speaker)
  await Promise.all(
    all.map((greeting) =>
      Promise.any(programs.map((one) => one.line(new RegExp(`^heard ${greeting}$`))))
    )
  )
}

test('a leader that is killed or stopped has one successor', { timeout: 180_000 }, async (t) => {
  const folder = await emptyFolder(t)
  const command = 'npx tailrace -A examples/leader/main.ts worker'
  const all = [1, 2, 3].map(() => new Program(t, { command, folder, timeoutMs: 40_000 }))
  await Promise.all(all.map((one) => one.url()))

  const first = await onlyLeader(all)
  assert.deepEqual(await first.end('SIGKILL'), { code: null, signal: 'SIGKILL' })

  const two = all.filter((one) => one !== first)
  const second = await onlyLeader(two)
  await untilHeard(second, two)
  // Ctrl-C.
  assert.deepEqual(await second.end('SIGINT'), { code: 0, signal: null })

  const [third] = two.filter((one) => one !== second)
  assert.ok(third !== undefined)
  assert.equal(await onlyLeader([third]), third)
  await untilHeard(third, [third])
  assert.deepEqual(await third.end('SIGTERM'), { code: 0, signal: null })

  const epochs = [first, second, third].map((one) => {
    const line = one.lines.find((text) => said.test(text)) ?? ''
    return Number(said.exec(line)?.[1])
  })
  assert.ok(epochs[0]! < epochs[1]! && epochs[1]! < epochs[2]!, `epochs grow: ${epochs}`)
})
