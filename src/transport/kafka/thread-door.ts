// How a thread opens its own connection to the brokers: named by the transport, imported by it.

import type { Transport } from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import type { KafkaPlace } from './index.ts'
import { kafkaAt } from './index.ts'

/** Opens what `argument`, made by the transport of another thread, stands for. */
export async function open(argument: string): Promise<Transport> {
  const place: KafkaPlace = JSON.parse(argument)
  const transport = kafkaAt(place, realClock)
  await transport.open()
  return transport
}
