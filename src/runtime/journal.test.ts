// A journal whose record is handed over, or dropped, keeps nothing of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Effects, Holds } from './effects.ts'
import { Entry } from './entry.ts'
import { Journal } from './journal.ts'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
const shard = { accept: () => undefined, checkEncodable: () => undefined }

function written(journal: Journal): WeakRef<Entry> {
  const entry = new Entry('key', 'key', 0, 'value')
  journal.write(shard, entry, 'new')
  return new WeakRef(entry)
}

for (const how of ['handed over', 'dropped']) {
  test(`rows of a record that is ${how} can be collected`, async () => {
    const journal = new Journal()
    const row = written(journal)
    if (how === 'dropped') journal.drop(new Holds())
    else journal.handOver(new Effects(new Holds()))
    await setImmediate()
    collect()
    assert.equal(row.deref(), undefined)
    assert.ok(journal.isEmpty)
  })
}
