// The page views example: its pages, and its counts after kill -9.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createApp } from 'tailrace'
import { z } from 'zod'
import { onEachLog } from '../logs.ts'
import { emptyFolder, Program } from '../program.ts'

const limits = { timeout: 180_000 } as const

async function json(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(url)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

async function untilTotal(url: string, total: number): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const { body } = await json(`${url}/report/`)
    if (body['total'] === total && body['isComplete'] === true) return
    assert.ok(Date.now() < deadline, `${body['total']} views in the table, ${total} expected`)
    await sleep(20)
  }
}

const title = 'each load of /count/ is one view in /report/, also after kill -9'

onEachLog(title, limits, async (t, environment) => {
  const folder = await emptyFolder(t)
  const command = 'npx tailrace -A examples/page-views/main.ts worker'
  const start = (): Program => new Program(t, { command, folder, environment })

  const first = start()
  const url = await first.url()
  assert.deepEqual(await json(`${url}/`), { status: 200, body: { status: 'OK' } })
  assert.deepEqual(await json(`${url}/ready/`), { status: 200, body: { isReady: true } })
  for (let visits = 1; visits <= 50; visits++) {
    assert.deepEqual((await json(`${url}/count/`)).body, { visits })
  }
  // Some are counted by now and some are not: none may be lost, none counted twice.
  await first.end('SIGKILL')

  const second = start()
  const again = await second.url()
  await untilTotal(again, 50)
  assert.deepEqual((await json(`${again}/count/`)).body, { visits: 1 })
  await untilTotal(again, 51)
  assert.deepEqual(await second.end('SIGTERM'), { code: 0, signal: null })
})

onEachLog(
  'the demo goes on where it was killed, and loses no view',
  limits,
  async (t, environment) => {
    const folder = await emptyFolder(t)
    const command = 'npm run demo -- --events 40000'
    const begin = (command: string): Program => new Program(t, { command, folder, environment })
    const first = begin(command)
    const url = await first.url()
    await first.line(/^sent 40000 page views/)
    await first.end('SIGKILL')
    const second = begin('npm run demo -- --events 1000')
    const again = await second.url()
    assert.notEqual(again, url)
    await second.line(/^sent 1000 page views/)
    await untilTotal(again, 41_000)
    assert.deepEqual(await second.end('SIGTERM'), { code: 0, signal: null })
  }
)

test('the demo counts in memory too, and at a rate', limits, async (t) => {
  const folder = await emptyFolder(t)
  const command = 'npm run demo -- --events 500 --rate 1000 --exit --json --broker memory:'
  const demo = new Program(t, { command, folder })
  assert.deepEqual(await demo.exited, { code: 0, signal: null })
  const { sent, counted, seconds } = JSON.parse(demo.lines.at(-1) ?? '') as Record<string, number>
  assert.deepEqual([sent, counted], [500, 500])
  assert.ok((seconds ?? 0) > 0.4, `500 at 1,000 a second took ${seconds} s`)
})

test('the demo ends with 1 when it did not count what it sent', limits, async (t) => {
  const folder = await emptyFolder(t)
  const broker = `embedded:${join(folder, 'log')}`
  const app = createApp({ id: 'page-views', broker })
  const pageViews = app.topic('page_views', { key: z.string(), partitions: 8 })
  // A view of the future closes the windows of its partition: those sent now come too late.
  const timestamp = Date.now() + 50 * 60_000
  await pageViews.send({ key: 'future', value: { pageId: 'a', userId: 'b' }, timestamp })
  await app.runner.close()
  const command = `npm run demo -- --events 800 --exit --json --broker ${broker}`
  const demo = new Program(t, { command, folder })
  assert.deepEqual(await demo.exited, { code: 1, signal: null }, demo.lines.join('\n'))
  const { sent = 0, counted = 0 } = JSON.parse(demo.lines.at(-1) ?? '') as Record<string, number>
  assert.equal(sent, 800)
  assert.ok(counted < sent, `${counted} counted`)
})

test('the demo says what it does not understand', limits, async (t) => {
  const folder = await emptyFolder(t)
  for (const [options, said] of [
    ['--events many --exit', /--events is "many"; expected a whole number/],
    ['--exit', /--exit needs --events N/],
    ['--evnts 3', /evnts/]
  ] as const) {
    const demo = new Program(t, { command: `npm run demo -- ${options}`, folder })
    assert.equal((await demo.exited).code, 64)
    assert.match(demo.lines.join('\n'), said)
  }
})
