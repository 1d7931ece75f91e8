// `npm run demo` as the README and the issue type it: through npm, and the guard before it.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './house/source.ts'
import { Running } from './packaging/running.ts'

test('it counts what it sends, says so in one line of JSON, and ends', {
  timeout: 300_000
}, async (t) => {
  const command = 'npm run demo -- --events 100000 --exit --json'.split(' ')
  const demo = new Running(t, root, { command })
  await demo.ends({ code: 0 })
  const line = demo.text.trimEnd().split('\n').at(-1) ?? ''
  const { sent, counted, seconds, eventsPerSecond, ...rest } = JSON.parse(line)
  assert.deepEqual([sent, counted, rest], [100_000, 100_000, {}], demo.text)
  assert.ok(seconds > 0 && eventsPerSecond > 0, line)
})

test('without options it serves its pages until Ctrl-C, and exits with 0', {
  timeout: 300_000
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tailrace-demo-command-'))
  const demo = new Running(t, root, {
    command: ['npm', 'run', 'demo'],
    env: {
      TAILRACE_BROKER: `embedded:${join(folder, 'log')}`,
      TAILRACE_DATADIR: join(folder, 'data'),
      TAILRACE_WEB_PORT: '0'
    }
  })
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const url = await demo.finds(/^web +(http:\S+)$/m)
  for (const page of ['/', '/ready/', '/count/', '/report/']) {
    assert.equal((await fetch(url + page)).status, 200, page)
  }
  process.kill(Number(await demo.finds(/^app +page-views, pid (\d+)$/m)), 'SIGINT')
  await demo.ends({ code: 0 })
})
