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
import { root } from './house/source.ts'

const path = join(root, 'README.md')
const [program] = blocksOf('README.md', path)

interface Said {
  readonly command: string
  readonly output: readonly string[]
}

/** Every `$ command` of the console blocks, with the lines below it. */
function sessionOf(text: string): Said[] {
  const blocks = [...text.matchAll(/^```console\n([^]*?)^```$/gm)].map(([, inside = '']) => inside)
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...output] = part.trimEnd().split('\n')
        return { command, output }
      })
  )
}

/** What differs from run to run: times, process ids, ports, offsets, where the folder is. */
function settled(line: string): string {
  return line
    .replace(/^\[\d\d:\d\d:\d\d\.\d{3}\]/, '[time]')
    .replace(/\bpid \d+/, 'pid N')
    .replace(/127\.0\.0\.1:\d+/, '127.0.0.1:PORT')
    .replace(/( in |embedded:)\/.*\/\.tailrace\//, '$1/folder/.tailrace/')
    .replace(/\boffset \d+/, 'offset N')
    .replaceAll(/\b\d{13}\b/g, 'TIME')
}

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
