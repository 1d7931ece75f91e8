// Three terminals: whichever leads is ended in each way there is, and exactly one other goes on.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { onEachLog } from '../logs.ts'
import { emptyFolder, Program, repository } from '../program.ts'

const said = /^leader since generation (\d+) says (.+)$/
const heard = /^heard /

/** The three commands of the README, each on any free port: others may test on this machine. */
const commands = readFileSync(join(repository, 'examples/leader/README.md'), 'utf8')
  .split('\n')
  .filter((line) => /^npx tailrace .* --web-port \d+$/.test(line))
  .map((line) => line.replace(/\d+$/, '0'))

/** Greetings that a program said as the leader. */
function greetings(program: Program): string[] {
  return program.lines.flatMap((line) => said.exec(line)?.[2] ?? [])
}

function epochsOf(program: Program): number[] {
  return program.lines.flatMap((line) => said.exec(line)?.[1] ?? []).map(Number)
}

/** The one that speaks next; then it must be the only one that spoke, twice in a row. */
async function onlyLeader(programs: readonly Program[]): Promise<Program> {
  const before = new Map(programs.map((one) => [one, greetings(one).length]))
  const grew = (one: Program): number => greetings(one).length - (before.get(one) ?? 0)
  const leader = await Promise.any(
    programs.map(async (one) => {
      await one.until(() => grew(one) >= 2, 'two greetings')
      return one
    })
  )
  for (const one of programs) if (one !== leader) assert.equal(grew(one), 0, 'two workers lead')
  return leader
}

/** Each greeting is heard somewhere. */
async function untilHeard(all: readonly string[], programs: readonly Program[]): Promise<void> {
  await Promise.all(
    all.map((greeting) =>
      Promise.any(programs.map((one) => one.line(new RegExp(`^heard ${greeting}$`))))
    )
  )
}

test('the README has three commands, of three ports', () => {
  assert.equal(commands.length, 3)
  const text = readFileSync(join(repository, 'examples/leader/README.md'), 'utf8')
  for (const port of [6066, 6067, 6068]) {
    assert.ok(text.includes(`npx tailrace -A examples/leader/main.ts worker --web-port ${port}\n`))
  }
})

const title = 'killed, interrupted or stopped: exactly one other leads on, and all is heard'

onEachLog(title, { timeout: 300_000 }, async (t, environment) => {
  const folder = await emptyFolder(t)
  const begin = (command: string): Program =>
    new Program(t, { command, folder, environment, timeoutMs: 60_000 })
  let terminals = commands.map(begin)
  const everyone = [...terminals]
  const urls = await Promise.all(terminals.map((one) => one.url()))
  assert.equal(new Set(urls).size, 3, 'three ports')

  const leaders: Program[] = []
  for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
    const leader = await onlyLeader(terminals)
    leaders.push(leader)
    const isKill = signal === 'SIGKILL'
    const exit = isKill ? { code: null, signal } : { code: 0, signal: null }
    assert.deepEqual(await leader.end(signal), exit)
    const others = terminals.filter((one) => one !== leader)
    assert.equal(others.length, 2)
    const next = await onlyLeader(others)
    assert.ok(others.includes(next))
    // The last words of a leader that was killed may never have been sent.
    await untilHeard(greetings(leader).slice(0, isKill ? -1 : undefined), everyone)
    // The terminal that is free again gets a new worker, which does not take over.
    const again = begin(commands[0] ?? '')
    everyone.push(again)
    await again.url()
    terminals = [...others, again]
  }
  const last = await onlyLeader(terminals)
  assert.ok(!leaders.includes(last))
  await untilHeard(greetings(last), everyone)

  const epochs = [...leaders, last].map((one) => [...new Set(epochsOf(one))])
  assert.ok(
    epochs.every((one) => one.length === 1),
    'one epoch for each time of leading'
  )
  const flat = epochs.flat()
  assert.deepEqual(
    flat,
    flat.toSorted((a, b) => a - b)
  )
  assert.equal(new Set(flat).size, 4)
  const listeners = everyone.filter(({ lines }) => lines.some((line) => heard.test(line)))
  assert.ok(listeners.length >= 2, 'any of them prints')
})
