// A newcomer: an empty folder, the README's own lines typed into it, a kill -9, and the counts.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from './house/source.ts'
import { meetStranger, run, type Stranger } from './packaging/package.ts'
import { Running } from './packaging/running.ts'

const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** The first thing in the README that looks so. */
function first(pattern: RegExp): string {
  return pattern.exec(readme)?.[1] ?? assert.fail(`README.md has no ${pattern}`)
}

const program = first(/^```ts\n([^]*?)^```$/m)
const file = first(/Save it as `([^`]+)`/)
const work = first(/^\$ (npx tailrace .* worker)$/m)
const send = first(/^\$ (npx tailrace .* send .*)$/m)
const page = first(/^\$ curl http:\/\/localhost:\d+(\/\S*)$/m)
const [install = '', ...further] = first(/^```sh\n(npm install .*)\n```$/m).split(' && ')

let stranger: Stranger

before(
  async () => {
    stranger = await meetStranger()
    // As it stands there, but for the name of a package that is not published yet.
    const [npm, verb, ...names] = install.split(' ')
    assert.deepEqual([npm, verb, names.includes('tailrace')], ['npm', 'install', true])
    await stranger.install(...names.filter((name) => name !== 'tailrace'))
    for (const line of further) await run(stranger.app, ...words(line))
    await writeFile(join(stranger.app, file), program)
  },
  { timeout: 300_000 }
)

after(() => stranger.remove())

/** A line of a shell in its words; `'…'` is one. */
function words(line: string): [program: string, ...args: string[]] {
  const [program = '', ...args] = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? ''
  )
  return [program, ...args]
}

function type(t: TestContext, line: string): Running {
  // A port of its own: 6066 may be somebody's on the machine that runs this.
  return new Running(t, stranger.app, { command: words(line), env: { TAILRACE_WEB_PORT: '0' } })
}

/** What the page says of the sum of all windows; the sends may stand on both sides of an hour. */
async function untilCounted(worker: Running, expected: number): Promise<void> {
  const url = (await worker.finds(/^web +(http:\S+)$/m)) + page
  const until = performance.now() + 120_000
  for (;;) {
    const answer = await (await fetch(url)).text()
    const { value = [] } = JSON.parse(answer) as { value?: { value: number }[] }
    const counted = value.reduce((sum, pane) => sum + pane.value, 0)
    if (counted === expected) return
    assert.ok(counted < expected, `counted more than ${expected}: ${answer}`)
    assert.ok(performance.now() < until, `${url} answers ${answer} and not ${expected}`)
    await sleep(50)
  }
}

async function sendTimes(t: TestContext, times: number): Promise<void> {
  for (let time = 0; time < times; time++) await type(t, send).ends({ code: 0 })
}

const pidOf = async (worker: Running): Promise<number> =>
  Number(await worker.finds(/^app .*, pid (\d+)$/m))

test('pasted, run, killed, run again: every view is counted once', {
  timeout: 600_000
}, async (t) => {
  const worker = type(t, work)
  await worker.finds(/^home 2$/m)
  await sendTimes(t, 3)
  await untilCounted(worker, 3)

  const sending = sendTimes(t, 2)
  process.kill(await pidOf(worker), 'SIGKILL')
  await worker.ended
  await sending
  await sendTimes(t, 1)

  const second = type(t, work)
  await untilCounted(second, 6)
  // The visitor of the program goes on too.
  await second.finds(/^home \d+$/m)
  process.kill(await pidOf(second), 'SIGTERM')
  await second.ends({ code: 0 })
})

test('the program of the README compiles where it was pasted', async () => {
  await run(stranger.app, 'npm', 'install', '--save-dev', '--prefer-offline', '@types/node@24')
  const compilerOptions = { strict: true, noEmit: true, module: 'nodenext', target: 'es2023' }
  const config = { compilerOptions: { ...compilerOptions, types: ['node'] }, files: [file] }
  await writeFile(join(stranger.app, 'tsconfig.json'), JSON.stringify(config))
  await run(stranger.app, join(root, 'node_modules', '.bin', 'tsc'), '-p', '.')
})
