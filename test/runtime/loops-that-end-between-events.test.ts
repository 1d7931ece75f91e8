// An agent's function that ends while no event of it is open: no event is to blame, none is lost,
// and the next one begins another call.
import assert from 'node:assert/strict'
import type { Event } from 'tailrace'
import { z } from 'zod'
import { onLog, until } from './embedded-log.ts'

for (const how of ['returns', 'throws'] as const) {
  onLog(`a function that ${how} while it waits for the next event`, async (log) => {
    const app = log.app({ deadLetter: 'dead' })
    const source = app.topic('in', { value: z.number(), partitions: 1 })
    const sums = app.table('sums', { key: z.number(), value: z.number(), keyCodec: numbers })
    const seen: number[] = []
    let calls = 0
    let end: () => void = () => undefined
    app.agent('read', { source, tables: { sums } }, async (events, { sums }) => {
      calls++
      const ending = new Promise<void>((resolve) => {
        end = resolve
      })
      const iterator = events[Symbol.asyncIterator]()
      for (;;) {
        const next: IteratorResult<Event<string | null, number>> | void = await Promise.race([
          iterator.next(),
          ending
        ])
        if (next === undefined && how === 'throws') throw new RangeError('enough')
        if (next === undefined || next.done === true) return
        seen.push(next.value.value)
        sums.set(0, next.value.value)
      }
    })
    const worker = await log.start(app)
    for (let n = 1; n <= 3; n++) {
      await log.put('in', [{ value: String(n) }])
      await log.settled(worker, 'in')
      end()
      await until(() => worker.status().tasks[0]?.openEvent === undefined, 'no event is open')
    }
    assert.deepEqual(seen, [1, 2, 3])
    assert.equal(calls, 3)
    assert.equal((await sums.query(0)).value, 3)
    const { counters } = worker.status()
    assert.deepEqual([counters.failures, counters.deadLettered], [0, 0])
    await worker.stop()
  })
}

const numbers = {
  name: 'numbers',
  encode: (value: unknown) => Buffer.from(String(value)),
  decode: (bytes: Uint8Array) => Number(Buffer.from(bytes))
}
