// A lock between processes that the kernel lets go of when its holder is gone, also by kill -9.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

/** Runs `body` while no other process does so for the same file. */
export async function locked<T>(path: string, body: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true })
  const database = await taken(path)
  try {
    return await body()
  } finally {
    database.close()
  }
}

/** SQLite's own waiting would block the loop, so it is asked again and again. */
async function taken(path: string): Promise<DatabaseSync> {
  for (;;) {
    const database = new DatabaseSync(path, { timeout: 0 })
    try {
      database.exec('BEGIN EXCLUSIVE')
      return database
    } catch (error) {
      database.close()
      // Errors other than "database is locked" would come back for ever.
      if (!/locked/.test(String(error))) throw error
    }
    await sleep(50)
  }
}
