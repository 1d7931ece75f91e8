// A worker out of the built package, with its keeper thread, on every Node line that we name.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { fetchNode, meetStranger, type Stranger } from './package.ts'
import { Running, untilAnswered } from './running.ts'

const node22 = '22.23.3'
const program = `import { createApp } from 'tailrace'
import { z } from 'zod'

export const app = createApp({ id: 'installed' })
const views = app.topic('views', { key: z.string(), value: z.string() })
const counts = app.table('counts', { key: z.string(), value: z.int(), initial: () => 0 })

app.agent('count', { source: views, tables: { counts } }, async (events, { counts }) => {
  for await (const event of events) {
    counts.update(event.key, (count) => count + 1)
    while (event.value === 'endless') counts.get(event.key)
  }
})
app.web.get('/counts', async (c) => c.json(await Array.fromAsync(counts.scan())))
`

let stranger: Stranger

before(
  async () => {
    stranger = await meetStranger()
    const manifest = { private: true, type: 'module' }
    await writeFile(join(stranger.app, 'package.json'), JSON.stringify(manifest))
    await stranger.install('zod@4')
    await writeFile(join(stranger.app, 'app.ts'), program)
  },
  { timeout: 300_000 }
)

after(() => stranger.remove())

interface Place {
  readonly node: string
  /** Below the stranger's folder: where this test has its log and its tables. */
  readonly data: string
}

function start(t: TestContext, { node, data }: Place, ...args: string[]): Running {
  const tailrace = join('node_modules', 'tailrace', 'bin', 'tailrace.js')
  return new Running(t, stranger.app, {
    command: [node, tailrace, '-A', 'app.ts', ...args],
    env: {
      TAILRACE_BROKER: `embedded:${join(data, 'log')}`,
      TAILRACE_DATADIR: join(data, 'data'),
      TAILRACE_WEB_PORT: '0',
      TAILRACE_STALL_TIMEOUT: '5s'
    }
  })
}

async function send(t: TestContext, place: Place, key: string, value: string): Promise<void> {
  await start(t, place, 'send', 'views', value, '-k', key).ends({ code: 0 })
}

const web = /^web +(http:\S+)$/m

/** A view sent, counted and shown; TERM, and exit 0. */
async function counts(t: TestContext, place: Place): Promise<void> {
  const worker = start(t, place, 'worker')
  const url = await worker.finds(web)
  await send(t, place, 'ada', 'home')
  await untilAnswered(`${url}/counts`, '[["ada",1]]')
  process.kill(Number(await worker.finds(/^app +installed, pid (\d+)$/m)), 'SIGTERM')
  await worker.ends({ code: 0 })
  assert.doesNotMatch(worker.text, /warning/i)
}

/** Only another thread can speak while the worker's own one is at an endless computation. */
async function isWatched(t: TestContext, place: Place): Promise<void> {
  const worker = start(t, place, 'worker')
  await worker.finds(web)
  await send(t, place, 'ada', 'endless')
  await worker.ends({ signal: 'SIGKILL' })
  assert.match(worker.text, /TAILRACE_AGENT_STALLED/)
  assert.match(worker.text, /app\.ts:\d+:\d+\)"/)
}

test('this Node runs a worker from dist', { timeout: 300_000 }, async (t) => {
  const place = { node: process.execPath, data: 'this' }
  await counts(t, place)
  await isWatched(t, place)
})

test(`so does Node ${node22}`, { timeout: 300_000 }, async (t) => {
  const fetched = await fetchNode(stranger.folder, node22)
  if ('refusal' in fetched) {
    // Not every platform has it; whoever reads the log of the run sees that it was left out.
    assert.match(fetched.refusal, /npm install/)
    t.diagnostic(`Node ${node22} cannot be had here, nothing was run on it: ${fetched.refusal}`)
    return
  }
  const place = { node: fetched.program, data: 'node-22' }
  await counts(t, place)
  await isWatched(t, place)
})
