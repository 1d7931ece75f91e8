// Conformance of connections: what they say of themselves, and what they share.

import assert from 'node:assert/strict'
import type { Transport } from '../port/transport.ts'
import type { Case } from './suite.ts'
import type { TransportScene } from './transport-scene.ts'
import { rejectsWith } from './transport-scene.ts'

export const connectionCases: readonly Case<TransportScene>[] = [
  {
    title: 'a connection says what it is and what it can do',
    async run({ transport }) {
      assert.match(transport.name, /^[a-z]+$/)
      assert.ok(transport.url.length > 0)
      const { sessionTimeoutMs, heartbeatMs, transactionBytesMax } = transport.features
      assert.ok(heartbeatMs > 0 && heartbeatMs * 3 <= sessionTimeoutMs)
      assert.ok(transactionBytesMax >= 1024 * 1024)
    }
  },
  {
    title: 'connections share one log',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const other = await scene.connect()
      await (await other.producer()).send({ ...at, key: null, value: null, timestamp: 1 })
      assert.equal((await scene.range(at)).end, 1)
    }
  },
  {
    title: 'a closed connection refuses, and the others go on',
    async run(scene) {
      const at = { topic: await scene.topic(), partition: 0 }
      const other = await scene.connect()
      const admin = other.admin()
      await other.close()
      const code = 'TAILRACE_TRANSPORT_CLOSED'
      await rejectsWith(admin.ranges([at]), code)
      await rejectsWith(other.producer(), code)
      await rejectsWith(other.coordinator(), code)
      await scene.send(at, 'still here')
      assert.deepEqual(await scene.values(at), ['still here'])
    }
  },
  {
    title: 'closing twice is once',
    async run(scene) {
      const other = await scene.connect()
      await other.close()
      await other.close()
    }
  },
  {
    title: 'the door, where there is one, opens the same log',
    async run(scene) {
      const { door } = scene.transport
      if (door === undefined) return
      const at = { topic: await scene.topic(), partition: 0 }
      const module: { open(argument: string): Promise<Transport> } = await import(door.module)
      const other = await module.open(door.argument)
      try {
        await (await other.producer()).send({ ...at, key: null, value: null, timestamp: 1 })
        assert.equal((await scene.range(at)).end, 1)
      } finally {
        await other.close()
      }
    }
  }
]
