// The guide's session on Kafka: the README's program, by one variable, prints what the page says.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Program } from '../../examples/program.ts'
import { blocksOf } from '../docs/blocks.ts'
import { installedFolder } from '../docs/folder.ts'
import { type Said, sessionOf, settled } from '../docs/session.ts'
import { root } from '../house/source.ts'
import { ownBroker } from './broker.ts'

const [program] = blocksOf('README.md', join(root, 'README.md'))
const page = readFileSync(join(root, 'docs/guide/kafka.md'), 'utf8')

test('the guide to Kafka says what happens', { timeout: 240_000 }, async (t) => {
  const folder = await installedFolder()
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  await writeFile(join(folder, 'app.ts'), program?.code ?? assert.fail('no program'))
  await using broker = await ownBroker()
  const environment = { TAILRACE_BROKER: broker.url() }
  const [plan, work] = sessionOf(page) as [Said, Said]

  const planned = new Program(t, { command: plan.command, folder, environment })
  assert.deepEqual(await planned.exited, { code: 0, signal: null }, planned.lines.join('\n'))
  assert.deepEqual(planned.lines, plan.output)

  const worker = new Program(t, { command: work.command, folder, environment })
  await worker.until(
    () => work.output.every((line) => worker.lines.map(settled).includes(settled(line))),
    work.output.join('\n')
  )
  assert.deepEqual(await worker.end('SIGTERM'), { code: 0, signal: null })
})
