// Word of a swarm: found in its directory or one above, and taken away by nobody but its own.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { findControlFiles, removeControlFile, writeControlFile } from './control-file.ts'

async function place(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'control-file-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

const record = { app: 'orders', host: '127.0.0.1', pid: 10, port: 6065 }

test('it is found where it lies, and from above', async (t) => {
  const datadir = await place(t)
  assert.deepEqual(await findControlFiles(join(datadir, 'nothing')), [])
  const own = join(datadir, 'orders')
  await writeControlFile(own, record)
  const found = [{ ...record, file: join(own, 'swarm.json') }]
  assert.deepEqual(await findControlFiles(datadir), found)
  assert.deepEqual(await findControlFiles(own), found)
  assert.equal((await stat(join(own, 'swarm.json'))).mode & 0o77, 0, 'only for its owner')
  assert.deepEqual(await readdir(own), ['swarm.json'], 'nothing unfinished is left')
})

test('who comes later overwrites it, and then it is not the first one’s to remove', async (t) => {
  const datadir = await place(t)
  await writeControlFile(datadir, record)
  await writeControlFile(datadir, { ...record, pid: 11 })
  await removeControlFile(datadir, 10)
  assert.equal((await findControlFiles(datadir))[0]?.pid, 11)
  await removeControlFile(datadir, 11)
  assert.deepEqual(await findControlFiles(datadir), [])
})

test('what is no word of a swarm is none', async (t) => {
  const datadir = await place(t)
  for (const text of [
    '',
    '{',
    'null',
    '{"app":"orders"}',
    '{"app":1,"host":"","pid":1,"port":2}'
  ]) {
    await writeFile(join(datadir, 'swarm.json'), text)
    assert.deepEqual(await findControlFiles(datadir), [], text)
  }
})
