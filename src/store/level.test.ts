// Unit tests of level.ts: what is its own; what all stores share is in model.test.ts.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import type { Store } from '../port/store.ts'
import { createLevelStore } from './level.ts'

const shard = { table: 'counts', partition: 3 }
const checkpoint = { topicId: 'topic-1', offset: 42, leaderEpoch: 5 }
const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString()

test('rows and checkpoints are there after a reopen', async (t) => {
  const { store } = await makeStore(t)
  await put(store, 'k', 'v')
  await store.close()
  await store.open({ app: 'one' })
  assert.equal(text(store.get(shard, bytes('k'))), 'v')
  assert.deepEqual(store.checkpoint(shard), checkpoint)
  assert.deepEqual(await store.shards(), [shard])
})

test('a shard with rows and no checkpoint is reported after a reopen', async (t) => {
  const { store } = await makeStore(t)
  const batch = store.batch()
  batch.put(shard, bytes('k'), bytes('v'))
  await batch.write()
  await store.close()
  await store.open({ app: 'one' })
  assert.equal(store.checkpoint(shard), undefined)
  assert.deepEqual(await store.shards(), [shard])
  await store.wipe(shard)
  assert.deepEqual(await store.shards(), [])
})

test('writes not awaited take hold in their order, and none before it resolves', async (t) => {
  const { store } = await makeStore(t)
  const seen: (string | undefined)[] = []
  const writes = Array.from({ length: 50 }, async (_, index) => {
    const batch = store.batch()
    batch.put(shard, bytes('k'), bytes(String(index)))
    // Large enough that LevelDB's thread works while the main one goes on.
    batch.put(shard, bytes(`filling-${index}`), new Uint8Array(100_000))
    await batch.write()
    seen.push(text(store.get(shard, bytes('k'))))
  })
  assert.equal(store.get(shard, bytes('k')), undefined)
  await Promise.all(writes)
  assert.deepEqual(
    seen,
    seen.map((_, index) => String(index))
  )
  assert.equal(seen.length, 50)
})

test('close waits for the writes before it', async (t) => {
  const { store } = await makeStore(t)
  const batch = store.batch()
  batch.put(shard, bytes('k'), bytes('v'))
  const written = batch.write()
  await store.close()
  await written
  await store.open({ app: 'one' })
  assert.equal(text(store.get(shard, bytes('k'))), 'v')
})

test('a batch is used once', async (t) => {
  const { store } = await makeStore(t)
  const batch = store.batch()
  await batch.write()
  const refusal = { code: 'TAILRACE_BUG_INVARIANT' }
  await assert.rejects(batch.write(), refusal)
  assert.throws(() => batch.put(shard, bytes('k'), bytes('v')), refusal)
  // The store itself goes on.
  await put(store, 'k', 'v')
})

test('the directory is for its owner only', async (t) => {
  const { directory } = await makeStore(t)
  assert.equal((await stat(directory)).mode & 0o777, 0o700)
})

test('a second store on the directory is refused', async (t) => {
  const { directory } = await makeStore(t)
  await assertRefused(directory, 'TAILRACE_STATE_LOCKED')
})

test('a store that another process has open is refused until it dies', async (t) => {
  const directory = await makeDirectory(t)
  const child = spawn(process.execPath, ['--input-type=module', '-e', holder, directory], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.after(() => child.kill('SIGKILL'))
  await firstOutput(child)
  await assertRefused(directory, 'TAILRACE_STATE_LOCKED')
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
  const store = createLevelStore({ directory })
  await store.open({ app: 'one' })
  await store.close()
})

const holder = `
  import { createLevelStore } from './level.ts'
  await createLevelStore({ directory: process.argv[1] }).open({ app: 'one' })
  process.stdout.write('open')
  setInterval(() => {}, 1000)
`

test('the store of another app is refused, and stays open to its own', async (t) => {
  const { store, directory } = await makeStore(t)
  await store.close()
  await assertRefused(directory, 'TAILRACE_STATE_FOREIGN', 'two')
  await store.open({ app: 'one' })
})

test('the store of a newer format is refused', async (t) => {
  const { store, directory } = await makeStore(t)
  await store.close()
  await setMeta(directory, '{"format":2,"app":"one"}')
  await assertRefused(directory, 'TAILRACE_STATE_FOREIGN')
})

test('a LevelDB of another program is refused', async (t) => {
  const directory = await makeDirectory(t)
  const db = new ClassicLevel(directory)
  await db.put('k', 'v')
  await db.close()
  await assertRefused(directory, 'TAILRACE_STATE_FOREIGN')
})

test('a damaged store is refused with the cure', async (t) => {
  const { store, directory } = await makeStore(t)
  await put(store, 'k', 'v')
  await store.close()
  for (const file of await readdir(directory)) {
    if (file.startsWith('MANIFEST')) await truncate(join(directory, file), 10)
  }
  await assertRefused(directory, 'TAILRACE_STATE_CORRUPT')
})

test('damage that reading met is refused at the next open', async (t) => {
  const { store, directory } = await makeStore(t)
  for (let index = 0; index < 2_000; index++) await put(store, `k${index}`, randomUUID())
  await store.close()
  // Opening brings what was logged into a table file.
  const again = createLevelStore({ directory })
  await again.open({ app: 'one' })
  t.after(() => again.close())
  for (const name of await readdir(directory)) {
    if (name.endsWith('.ldb')) await scramble(join(directory, name))
  }
  assert.throws(
    () => {
      for (let index = 0; index < 2_000; index++) again.get(shard, bytes(`k${index}`))
    },
    { code: 'TAILRACE_STATE_CORRUPT' }
  )
  await again.close()
  await assertRefused(directory, 'TAILRACE_STATE_CORRUPT')
})

/** A few rows in the middle: what is read to open a table file is at its ends. */
async function scramble(path: string): Promise<void> {
  const file = await open(path, 'r+')
  const { size } = await file.stat()
  await file.write(Buffer.alloc(200, 0x5a), 0, undefined, Math.floor(size / 2))
  await file.close()
}

test('unreadable records of ours are refused with the cure', async (t) => {
  const { store, directory } = await makeStore(t)
  await store.close()
  await setMeta(directory, 'not json')
  await assertRefused(directory, 'TAILRACE_STATE_CORRUPT')
})

test('a file in place of the directory is refused', async (t) => {
  const directory = join(await makeDirectory(t), 'file')
  await writeFile(directory, 'x')
  await assertRefused(directory, 'TAILRACE_STATE_UNWRITABLE')
})

test('says how large it is', async (t) => {
  const { store } = await makeStore(t)
  const before = await store.sizeBytes()
  await put(store, 'k', 'v'.repeat(100_000))
  assert.ok((await store.sizeBytes()) >= before + 100_000)
})

async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-level-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}

async function makeStore(t: TestContext): Promise<{ store: Store; directory: string }> {
  const directory = join(await makeDirectory(t), 'parent', 'store')
  const store = createLevelStore({ directory })
  await store.open({ app: 'one' })
  t.after(() => store.close())
  return { store, directory }
}

async function put(store: Store, key: string, value: string): Promise<void> {
  const batch = store.batch()
  batch.put(shard, bytes(key), bytes(value))
  batch.checkpoint(shard, checkpoint)
  await batch.write()
}

async function setMeta(directory: string, value: string): Promise<void> {
  const db = new ClassicLevel<Uint8Array, string>(directory, { keyEncoding: 'view' })
  await db.put(Uint8Array.of(0), value)
  await db.close()
}

async function assertRefused(directory: string, code: string, app = 'one'): Promise<void> {
  await assert.rejects(createLevelStore({ directory }).open({ app }), (error: Error) => {
    assert.ok('code' in error && 'hint' in error)
    assert.equal(error.code, code)
    assert.ok(error.message.includes(directory), error.message)
    if (code === 'TAILRACE_STATE_CORRUPT') assert.ok(String(error.hint).includes(directory))
    return true
  })
}

async function firstOutput(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (data) => resolve(String(data)))
    child.once('exit', (code) => reject(new Error(`child ended early with ${code}`)))
  })
}
