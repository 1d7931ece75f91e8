// How a thread opens its own connection to the log: named by the transport, imported by the thread.

import type { Transport } from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { createEmbeddedTransport } from './index.ts'

interface DoorArgument {
  readonly directory: string
  readonly synchronous: 'normal' | 'full'
}

/** Opens the log that `argument`, made by the transport of another thread, stands for. */
export async function open(argument: string): Promise<Transport> {
  const { directory, synchronous }: DoorArgument = JSON.parse(argument)
  // Heartbeats do not wait for a compaction, which the main thread's connection does.
  const options = { directory, synchronous, clock: realClock, isMaintained: false }
  const transport = createEmbeddedTransport(options)
  await transport.open()
  return transport
}
