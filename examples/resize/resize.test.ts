// The resize example: a picture of ours is made small, once, and one that is none holds up nobody.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { onEachLog } from '../logs.ts'
import { emptyFolder, Program } from '../program.ts'

const main = 'npx tailrace -A examples/resize/main.ts'
const made = /^(\S+) to (\d+) pixels: \d+ bytes$/

/** Of the pictures that the program makes itself. */
const jobs: readonly string[] = [1, 2, 3].flatMap((number) =>
  Array.from({ length: 8 }, (_, size) => `pictures/${number}.jpg ${(size + 1) * 100}`)
)

function doneBy(program: Program): string[] {
  return program.lines.flatMap((line) => {
    const [, picture, width] = made.exec(line) ?? []
    return picture === undefined ? [] : [`${picture} ${width}`]
  })
}

const title = 'every picture is made small, and what is no picture is put aside'

onEachLog(title, { timeout: 180_000 }, async (t, environment) => {
  const folder = await emptyFolder(t)
  const begin = (args: string): Program =>
    new Program(t, { command: `${main} ${args}`, folder, environment })
  const create = { width: 300, height: 200, channels: 3, background: 'red' } as const
  await writeFile(join(folder, 'own.png'), await sharp({ create }).png().toBuffer())
  await writeFile(join(folder, 'none.png'), 'this is no picture')
  const worker = begin('worker')
  const url = await worker.url()
  for (const [picture, width] of [
    ['none.png', 10],
    ['own.png', 30]
  ] as const) {
    const sent = begin(`send resize-jobs ${JSON.stringify({ picture, width })}`)
    assert.deepEqual(await sent.exited, { code: 0, signal: null }, sent.lines.join('\n'))
  }
  await worker.until(() => doneBy(worker).length >= jobs.length + 1, 'every picture')
  assert.deepEqual(doneBy(worker).toSorted(), [...jobs, 'own.png 30'].toSorted())
  const counters = async (): Promise<Record<string, number>> => {
    const status = (await (await fetch(`${url}/status`)).json()) as {
      readonly counters: Record<string, number>
    }
    return status.counters
  }
  while ((await counters())['deadLettered'] !== 1) await new Promise((go) => setTimeout(go, 20))
  assert.equal((await counters())['retries'], 2)
  assert.deepEqual(await worker.end('SIGTERM'), { code: 0, signal: null })
})

onEachLog('two processes share the pictures', { timeout: 180_000 }, async (t, environment) => {
  const folder = await emptyFolder(t)
  const swarm = new Program(t, { command: `${main} swarm --nodes 2`, folder, environment })
  await swarm.until(() => doneBy(swarm).length >= jobs.length, 'every picture')
  assert.deepEqual(doneBy(swarm).toSorted(), jobs.toSorted())
  assert.deepEqual(await swarm.end('SIGTERM'), { code: 0, signal: null })
})
