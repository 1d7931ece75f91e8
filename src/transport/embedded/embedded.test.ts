// The embedded log against the exported suite.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transportConformance } from '../../conformance/transport.ts'
import type { Clock } from '../../port/clock.ts'
import type { Transport } from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { createEmbeddedTransport } from './index.ts'

transportConformance({
  name: 'embedded',
  features: { sessionTimeoutMs: 900 },
  async create() {
    const directory = await mkdtemp(join(tmpdir(), 'tailrace-log-'))
    const opened: Transport[] = []
    let jumpedMs = 0
    const clock: Clock = { ...realClock, now: () => realClock.now() + jumpedMs }
    return {
      clock,
      jumpWall(ms) {
        jumpedMs += ms
      },
      async connect() {
        const transport = createEmbeddedTransport({ directory, clock })
        opened.push(transport)
        await transport.open()
        return transport
      },
      async dispose() {
        for (const transport of opened) await transport.close()
        await rm(directory, { recursive: true })
      }
    }
  }
})
