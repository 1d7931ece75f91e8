// Tables that cannot be opened: the worker says so, rebuilds them, and comes to the same counts.
import { readdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { scene } from './run.ts'

scene('the manifest of the store is cut short', async (one) => {
  await one.send(300)
  const first = await one.worker().started()
  await one.settled()
  await first.stop()
  const tables = join(one.place('data'), 'worker-0', 'tables')
  for (const name of await readdir(tables)) {
    if (name.startsWith('MANIFEST')) await truncate(join(tables, name), 10)
  }
  await one.send(100)
  const second = await one.worker().started()
  await second.line(/the tables are damaged, and are rebuilt from their changelogs: TAILRACE_STATE/)
  await second.line(/restoring \d+ records/)
  await one.settled()
  await second.stop()
  await one.verify()
})
