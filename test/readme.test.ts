// The README's program and what it is said to print: run as it stands there, killed, run again.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Program } from '../examples/program.ts'
import { blocksOf } from './docs/blocks.ts'
import { installedFolder } from './docs/folder.ts'
import { type Said, sessionOf, settled } from './docs/session.ts'
import { root } from './house/source.ts'

const path = join(root, 'README.md')
const [program] = blocksOf('README.md', path)

const homeOf = (line: string): number => Number(/^home (\d+)$/.exec(line)?.[1])
const hour = (): number => Math.floor(Date.now() / 3_600_000)

test('the program has 15 lines', () => {
  assert.equal(program?.code.split('\n').length, 16, 'and one that names its file')
})

test('the README says what happens', { timeout: 180_000 }, async (t) => {
  const folder = await installedFolder()
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  await writeFile(join(folder, 'app.ts'), program?.code ?? '')
  const [work, send, ask] = sessionOf(readFileSync(path, 'utf8')) as [Said, Said, Said]

  const began = hour()
  const worker = new Program(t, { command: work.command, folder })
  await worker.until(
    () => work.output.every((line) => worker.lines.map(settled).includes(settled(line))),
    work.output.join('\n')
  )
  const counts = worker.lines.map(homeOf).filter((count) => !Number.isNaN(count))
  assert.deepEqual(counts.slice(0, 3), [1, 2, 3])

  const sender = new Program(t, { command: send.command.replaceAll("'", ''), folder })
  assert.deepEqual(await sender.exited, { code: 0, signal: null }, sender.lines.join('\n'))
  assert.deepEqual(sender.lines.map(settled), send.output.map(settled))
  await worker.line(/^about 1$/)

  const page = new URL(ask.command.replace(/^curl /, '')).pathname
  await untilAnswered(new URL(page, await worker.url()), ask.output[0] ?? '')

  await worker.end('SIGKILL')
  const last = worker.lines.map(homeOf).findLast((count) => !Number.isNaN(count)) ?? 0
  const second = new Program(t, { command: work.command, folder })
  const next = homeOf(await second.line(/^home \d+$/))
  // A line is printed before its event is committed, so the last one may be said again.
  if (hour() === began) assert.ok(next === last || next === last + 1, `${last}, then ${next}`)
  await untilAnswered(new URL(page, await second.url()), ask.output[0] ?? '')
  assert.deepEqual(await second.end('SIGTERM'), { code: 0, signal: null })
})

async function untilAnswered(url: URL, expected: string): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const answer = await (await fetch(url)).text()
    if (settled(answer) === settled(expected)) return
    assert.ok(Date.now() < deadline, `${url} answers ${answer}`)
    await sleep(20)
  }
}
