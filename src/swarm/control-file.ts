// How a swarm is found by a command that does not know its app: a small file above its nodes' data.
// Such a file may lie there long after its swarm was killed: it is believed only when the swarm at
// that port says that it has that pid.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface ControlRecord {
  readonly app: string
  readonly pid: number
  readonly host: string
  readonly port: number
}

export interface FoundRecord extends ControlRecord {
  readonly file: string
}

const name = 'swarm.json'

/** Leaves word; what was there is of a swarm that is gone, since two cannot share a directory. */
export async function writeControlFile(directory: string, record: ControlRecord): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, name)
  const unfinished = `${file}.${record.pid}`
  await writeFile(unfinished, `${JSON.stringify(record)}\n`, { mode: 0o600 })
  await rename(unfinished, file)
}

/** Takes it away, unless it is of somebody else by now. */
export async function removeControlFile(directory: string, pid: number): Promise<void> {
  const file = join(directory, name)
  if ((await readRecord(file))?.pid === pid) await rm(file, { force: true })
}

/** What lies in this data directory, or one below it: the default has one by each app's name. */
export async function findControlFiles(datadir: string): Promise<FoundRecord[]> {
  const entries = await readdir(datadir, { withFileTypes: true }).catch(() => [])
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  const files = [join(datadir, name), ...below.toSorted().map((one) => join(datadir, one, name))]
  const records = await Promise.all(files.map(readRecord))
  return records.filter((record) => record !== undefined)
}

async function readRecord(file: string): Promise<FoundRecord | undefined> {
  try {
    const { app, host, pid, port }: Partial<ControlRecord> = JSON.parse(
      await readFile(file, 'utf8')
    )
    const isWhole =
      typeof app === 'string' &&
      typeof host === 'string' &&
      Number.isInteger(pid) &&
      Number.isInteger(port)
    return isWhole ? { app, host, pid: Number(pid), port: Number(port), file } : undefined
  } catch {
    // Not there, not ours, or not JSON: all the same to whoever looks for a swarm.
    return undefined
  }
}
