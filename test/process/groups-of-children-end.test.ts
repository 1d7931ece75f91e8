// The docs' recipes for children that have children: the group ends with its task and its worker.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { copyFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { Program } from '../../examples/program.ts'
import { blocksOf, moduleOf } from '../docs/blocks.ts'
import { installedFolder } from '../docs/folder.ts'
import { root } from '../house/source.ts'
import { isGone, tryKill } from './gone.ts'

const name = 'docs/guide/child-processes.md'
const page = readFileSync(join(root, name), 'utf8')
const guard = /^```js\n(\/\/ guard\.js [^]*?)^```$/m.exec(page)?.[1] ?? ''
/** A shell that waits for what it started, as a build tool does. */
const shell = ['sh', '-c', 'sleep 300 & echo grandchild $!; wait']

async function folderOf(t: TestContext): Promise<string> {
  const folder = await installedFolder()
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

async function guarded(t: TestContext): Promise<{ child: ChildProcess; grandchild: number }> {
  const folder = await folderOf(t)
  assert.notEqual(guard, '', 'the page has a guard.js')
  await writeFile(join(folder, 'guard.js'), guard)
  const child = spawn(process.execPath, ['guard.js', ...shell], { cwd: folder, stdio: 'pipe' })
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const grandchild = Number(/grandchild (\d+)/.exec(line)?.[1])
  t.after(() => tryKill(grandchild, 'SIGKILL'))
  return { child, grandchild }
}

test('a guarded group ends when its worker is gone', { timeout: 120_000 }, async (t) => {
  const { child, grandchild } = await guarded(t)
  // What the end of the worker does to the pipe.
  child.stdin?.destroy()
  assert.ok(await isGone(grandchild), 'the grandchild outlived the pipe')
})

test('a guarded group ends when the guard is told to', { timeout: 120_000 }, async (t) => {
  const { child, grandchild } = await guarded(t)
  child.kill('SIGTERM')
  assert.ok(await isGone(grandchild), 'the grandchild outlived its guard')
})

test('a detached group ends when its task stops', { timeout: 240_000 }, async (t) => {
  const folder = await folderOf(t)
  const block = blocksOf(name, join(root, name)).find(({ code }) => code.includes('detached'))
  assert.ok(block !== undefined, 'the page has the recipe')
  const recipe = moduleOf(block).replace(
    "spawn('make', ['-C', value.path], { detached: true })",
    `spawn('sh', ${JSON.stringify(shell.slice(1))}, { detached: true, stdio: 'inherit' })`
  )
  assert.ok(recipe.includes('grandchild'), 'the recipe starts what it is given')
  const app = [
    recipe,
    "const { app: own, files: source } = await import('./prelude.ts')",
    "own.task('give', {}, async () => void (await source.send({ value: { path: '' } })))",
    'await own.main()'
  ]
  await copyFile(join(root, 'test/docs/prelude.ts'), join(folder, 'prelude.ts'))
  await writeFile(join(folder, 'app.ts'), app.join('\n'))
  const worker = new Program(t, {
    command: 'npx node --conditions=tailrace-source app.ts',
    folder,
    environment: { TAILRACE_BROKER: 'memory:' }
  })
  const line = await worker.line(/^grandchild \d+$/)
  const grandchild = Number(line.split(' ')[1])
  t.after(() => tryKill(grandchild, 'SIGKILL'))
  const exit = await worker.end('SIGTERM')
  assert.deepEqual(exit, { code: 0, signal: null }, worker.lines.join('\n'))
  assert.ok(await isGone(grandchild), 'the grandchild outlived its task')
})
