// A child that a handler started: TERM ends it by the signal of the task; kill -9 by the recipe.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../house/source.ts'
import { isGone } from './gone.ts'
import { type Scene, scene } from './run.ts'
import type { WorkerProcess } from './worker-process.ts'

const module = 'hooked-visits.ts'

async function childOf(one: Scene, worker: WorkerProcess): Promise<number> {
  const [, pid] = await worker.line(/child (\d+)/)
  one.owns(Number(pid))
  return Number(pid)
}

scene('TERM aborts the signal that the child was started with', async (one) => {
  await one.send(50)
  const worker = one.worker({ module, env: { HOOK: 'child', HOOK_ID: '40' } })
  const child = await childOf(one, worker)
  await worker.stop()
  assert.ok(await isGone(child), 'the child outlived its worker')
  await one.finish()
})

// Nothing of the worker runs any more, and no signal is aborted.
scene('after kill -9 a child made by the recipe of the docs ends by itself', async (one) => {
  const page = readFileSync(join(root, 'docs', 'guide', 'child-processes.md'), 'utf8')
  const [, recipe = ''] = page.match(/^```js\n(\/\/ child\.js\n[^]*?)^```$/m) ?? []
  assert.notEqual(recipe, '', 'the page has a child.js')
  await writeFile(one.place('child.js'), recipe)
  await one.send(50)
  const env = { HOOK: 'piped-child', HOOK_ID: '40', HOOK_CHILD: one.place('child.js') }
  const worker = one.worker({ module, env })
  const child = await childOf(one, worker)
  await worker.kill()
  assert.ok(await isGone(child), 'the child outlived its worker')
  await one.finish()
})
