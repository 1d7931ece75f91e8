// Unit tests of data-directory.ts, with other processes that hold and die.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import fs, { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  type DataDirectory,
  type DataDirectoryClaim,
  claimDataDirectory
} from './data-directory.ts'

const app = 'one'

test('each claim takes the first free worker-N', async (t) => {
  const parent = await makeParent(t)
  const first = await claim(t, { app, parent })
  const second = await claim(t, { app, parent })
  const third = await claim(t, { app, parent })
  assert.deepEqual(
    [first, second, third].map(({ path, index }) => [path, index]),
    [0, 1, 2].map((index) => [join(parent, `worker-${index}`), index])
  )
  await second.release()
  assert.equal((await claim(t, { app, parent })).index, 1)
})

test('claims at the same moment take different directories', async (t) => {
  const parent = await makeParent(t)
  const claimed = await Promise.all(Array.from({ length: 8 }, () => claim(t, { app, parent })))
  assert.deepEqual(
    claimed.map(({ index }) => index).toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7]
  )
  assert.equal(new Set(claimed.map(({ instanceId }) => instanceId)).size, 8)
})

test('the instance id stays with the directory', async (t) => {
  const parent = await makeParent(t)
  const first = await claim(t, { app, parent })
  assert.match(first.instanceId, /^[0-9a-f-]{36}$/)
  await first.release()
  await first.release()
  const again = await claim(t, { app, parent })
  assert.equal(again.instanceId, first.instanceId)
  assert.deepEqual(JSON.parse(await readFile(join(first.path, 'instance.json'), 'utf8')), {
    format: 1,
    app,
    instanceId: first.instanceId
  })
})

test('what is made is for its owner only', async (t) => {
  const parent = await makeParent(t)
  const { path } = await claim(t, { app, parent })
  assert.equal((await stat(parent)).mode & 0o777, 0o700)
  assert.equal((await stat(path)).mode & 0o777, 0o700)
})

test('a directory named outright is refused while it is in use', async (t) => {
  const explicit = join(await makeParent(t), 'mine')
  const first = await claim(t, { app, explicit })
  assert.deepEqual([first.path, first.index], [explicit, 0])
  await assertRefused({ app, explicit }, 'TAILRACE_STATE_LOCKED')
  await first.release()
  await claim(t, { app, explicit })
})

test('garbage collection does not give the directory away', async (t) => {
  const explicit = join(await makeParent(t), 'mine')
  const child = startChild(t, ['--expose-gc'], { app, explicit })
  await firstOutput(child)
  await assertRefused({ app, explicit }, 'TAILRACE_STATE_LOCKED')
})

test('a killed process gives its directory back', async (t) => {
  const parent = await makeParent(t)
  const child = startChild(t, ['--expose-gc'], { app, parent })
  const instanceId = await firstOutput(child)
  const beside = await claim(t, { app, parent })
  assert.equal(beside.index, 1)
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
  const next = await claim(t, { app, parent })
  assert.deepEqual([next.index, next.instanceId], [0, instanceId])
})

test('processes that start together take different directories', async (t) => {
  const parent = await makeParent(t)
  const children = Array.from({ length: 4 }, () => startChild(t, ['--expose-gc'], { app, parent }))
  const ids = await Promise.all(children.map(firstOutput))
  assert.equal(new Set(ids).size, 4)
  assert.equal((await claim(t, { app, parent })).index, 4)
})

test('the directory of another app is refused, also while its owner runs', async (t) => {
  const parent = await makeParent(t)
  const owner = await claim(t, { app, parent })
  await assertRefused({ app: 'two', parent }, 'TAILRACE_STATE_FOREIGN')
  await owner.release()
  await assertRefused({ app: 'two', parent }, 'TAILRACE_STATE_FOREIGN')
  await assertRefused({ app: 'two', explicit: owner.path }, 'TAILRACE_STATE_FOREIGN')
  // The refusal has let go of it.
  assert.equal((await claim(t, { app, parent })).index, 0)
})

test('a newer format is refused, whatever else it says', async (t) => {
  const explicit = await makeWith(t, 'instance.json', '{"format":2}')
  await assertRefused({ app, explicit }, 'TAILRACE_STATE_FOREIGN')
})

test('an unreadable instance.json is refused with the cure', async (t) => {
  for (const text of ['', '{', 'null', '{"format":1,"app":"one","instanceId":"../x"}']) {
    const explicit = await makeWith(t, 'instance.json', text)
    await assertRefused({ app, explicit }, 'TAILRACE_STATE_CORRUPT')
  }
})

test('a lock.db of something else is refused with the cure', async (t) => {
  const explicit = await makeWith(
    t,
    'lock.db',
    'no database, and longer than its header is '.repeat(9)
  )
  await assertRefused({ app, explicit }, 'TAILRACE_STATE_CORRUPT')
})

test('a directory on a disk that machines share is refused', async (t) => {
  const parent = await makeParent(t)
  const nfs = 0x6969
  t.mock.method(fs, 'statfs', async () => ({ type: nfs }))
  syncBuiltinESMExports()
  try {
    await assertRefused({ app, parent }, 'TAILRACE_STATE_NETWORK_DISK')
    await assertRefused({ app, explicit: join(parent, 'mine') }, 'TAILRACE_STATE_NETWORK_DISK')
  } finally {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  }
  assert.equal((await claim(t, { app, parent })).index, 0)
})

test('a file in place of a directory is refused', async (t) => {
  const explicit = await makeWith(t, 'file', 'x')
  await assertRefused({ app, explicit: join(explicit, 'file') }, 'TAILRACE_STATE_UNWRITABLE')
  await assertRefused({ app, parent: join(explicit, 'file', 'x') }, 'TAILRACE_STATE_UNWRITABLE')
})

async function makeParent(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-data-'))
  t.after(() => rm(directory, { recursive: true }))
  return join(directory, 'data')
}

async function makeWith(t: TestContext, name: string, text: string): Promise<string> {
  const directory = await makeParent(t)
  await mkdir(directory)
  await writeFile(join(directory, name), text)
  return directory
}

async function claim(t: TestContext, wanted: DataDirectoryClaim): Promise<DataDirectory> {
  const claimed = await claimDataDirectory(wanted)
  t.after(() => claimed.release())
  return claimed
}

async function assertRefused(wanted: DataDirectoryClaim, code: string): Promise<void> {
  const path = 'explicit' in wanted ? wanted.explicit : wanted.parent
  await assert.rejects(claimDataDirectory(wanted), (error: Error) => {
    assert.ok('code' in error && 'hint' in error)
    assert.equal(error.code, code)
    assert.ok(error.message.includes(path), error.message)
    if (code === 'TAILRACE_STATE_CORRUPT') assert.ok(String(error.hint).includes(path))
    return true
  })
}

/** A process that claims, drops what it got, collects its garbage, and stays. */
function startChild(
  t: TestContext,
  flags: readonly string[],
  wanted: DataDirectoryClaim
): ChildProcess {
  const script = `
    import { claimDataDirectory } from './data-directory.ts'
    const { instanceId } = await claimDataDirectory(JSON.parse(process.argv[1]))
    setInterval(() => {}, 1000)
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc()
    await new Promise((resolve) => setImmediate(resolve))
    process.stdout.write(instanceId)
  `
  const child = spawn(
    process.execPath,
    [...flags, '--input-type=module', '-e', script, JSON.stringify(wanted)],
    { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] }
  )
  t.after(() => child.kill('SIGKILL'))
  return child
}

async function firstOutput(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (data) => resolve(String(data)))
    child.once('exit', (code) => reject(new Error(`child ended early with ${code}`)))
  })
}
