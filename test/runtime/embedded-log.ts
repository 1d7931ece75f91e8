// The embedded log as tests have it: each its own, in a folder that goes with it.
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { realClock } from '../../src/runtime/real-clock.ts'
import { createEmbeddedTransport } from '../../src/transport/embedded/index.ts'
import { AppLog } from './app-log.ts'

export { type Bytes, headerTexts, type LoggedBytes, textOf, until } from './app-log.ts'

export const appId = 'app'

export class EmbeddedLog extends AppLog {
  private constructor(directory: string) {
    const log = join(directory, 'log')
    super({
      directory,
      transport: createEmbeddedTransport({ directory: log, clock: realClock }),
      options: { id: appId, broker: `embedded:${log}` }
    })
  }

  static async open(t: TestContext): Promise<EmbeddedLog> {
    const log = new EmbeddedLog(await mkdtemp(join(tmpdir(), 'tailrace-runtime-')))
    t.after(() => log.close())
    await log.transport.open()
    return log
  }
}

/** A test with an embedded log of its own. */
export function onLog(name: string, run: (log: EmbeddedLog) => Promise<void>): void {
  test(name, { timeout: 60_000 }, async (t) => run(await EmbeddedLog.open(t)))
}
