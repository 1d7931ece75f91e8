// A child that a handler started: TERM ends it by the signal of the task; kill -9 by the recipe.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from '../house/source.ts'
import { scene } from './run.ts'

async function isGone(pid: number): Promise<boolean> {
  const until = performance.now() + 5_000
  while (performance.now() < until) {
    try {
      process.kill(pid, 0)
    } catch {
      return true
    }
    await sleep(20)
  }
  return false
}

scene('TERM aborts the signal that the child was started with', async (one) => {
  await one.send(50)
  const env = { HOOK: 'child', HOOK_ID: '40' }
  const worker = one.worker({ module: 'hooked-visits.ts', env })
  const [, pid] = await worker.line(/child (\d+)/)
  await worker.stop()
  assert.ok(await isGone(Number(pid)), 'the child outlived its worker')
  await one.finish()
})

scene('after kill -9 a child made by the recipe of the docs ends by itself', async (one) => {
  const page = readFileSync(join(root, 'docs', 'guide', 'child-processes.md'), 'utf8')
  const blocks = [...page.matchAll(/^```js\n(\/\/ (\S+)\n[^]*?)^```$/gm)]
  for (const [, text = '', name = ''] of blocks) await writeFile(one.place(name), text)
  assert.deepEqual(
    blocks.map(([, , name]) => name),
    ['parent.js', 'child.js']
  )
  await writeFile(one.place('package.json'), '{ "type": "module" }')
  const parent = one.worker({ module: one.place('parent.js') })
  const [, pid] = await parent.line(/child (\d+) works/)
  await parent.kill()
  assert.ok(await isGone(Number(pid)), 'the child outlived its parent')
})
