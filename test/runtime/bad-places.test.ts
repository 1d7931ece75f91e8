// Places that an app cannot have, on the embedded log; and such as only this log has.
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { badPlaces, counting, refused, runs } from './bad-places-scenes.ts'
import { onLog } from './embedded-log.ts'

for (const [name, run] of Object.entries(badPlaces)) onLog(name, run)

onLog('logs that are none of ours, or of a newer version, are refused and kept', async (log) => {
  const foreign: readonly (readonly [string, (file: string) => Promise<void> | void, RegExp])[] = [
    ['text', (file) => writeFile(file, 'not a database, but long enough to look'), /text/],
    [
      'own',
      (file) => {
        const database = new DatabaseSync(file)
        database.exec('CREATE TABLE cats(name)')
        database.close()
      },
      /own/
    ],
    [
      'newer',
      async (file) => {
        await runs(log, counting(log, { broker: `embedded:${log.place('newer')}` }))
        const database = new DatabaseSync(file)
        database.exec('PRAGMA user_version = 1000')
        database.close()
      },
      /newer/
    ]
  ]
  for (const [name, make, says] of foreign) {
    await mkdir(log.place(name))
    const file = join(log.place(name), 'log.db')
    await make(file)
    const app = counting(log, { broker: `embedded:${log.place(name)}` })
    const { hint, message } = await refused(log, app, 'TAILRACE_STATE_FOREIGN')
    assert.match(message, says)
    assert.match(hint, /another directory/)
  }
  const kept = new DatabaseSync(join(log.place('own'), 'log.db'))
  const tables = kept.prepare('SELECT name FROM sqlite_schema').all()
  kept.close()
  assert.deepEqual(
    tables.map(({ name }) => name),
    ['cats']
  )
})

onLog('a log directory that is a file cannot be written', async (log) => {
  await writeFile(log.place('file'), '')
  const app = counting(log, { broker: `embedded:${log.place('file')}` })
  const { message } = await refused(log, app, 'TAILRACE_STATE_UNWRITABLE')
  assert.ok(message.includes(log.place('file')))
})
