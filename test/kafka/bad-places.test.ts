// Places that an app cannot have, and input that only looks bad, on Kafka: as on the embedded log.
import assert from 'node:assert/strict'
import { type App, deadLetter, hasCode } from 'tailrace'
import { z } from 'zod'
import { textOf } from '../runtime/app-log.ts'
import { badPlaces } from '../runtime/bad-places-scenes.ts'
import { largeRecordIsRead, oddButGood } from '../runtime/odd-but-good-scenes.ts'
import { testsOnKafka } from './on-kafka.ts'

const onKafka = testsOnKafka(120_000)

for (const [name, run] of Object.entries({ ...badPlaces, ...oddButGood })) onKafka(name, run)

/** A broker's default is 1 MiB. */
const roomy = { 'max.message.bytes': String(8 << 20) }

onKafka('a record larger than this app may send is read, and dead-lettered whole', (log) =>
  largeRecordIsRead(log, roomy)
)

onKafka('a record that is too large for the dead letters ends the worker, unlost', async (log) => {
  await log.create(log.name('in'), 1, roomy)
  const large = 'x'.repeat(3 << 20)
  await log.put(log.name('in'), [{ value: '"before"' }, { value: large }, { value: '"after"' }])
  const seen: string[] = []
  const reading = (): App => {
    const app = log.app({ deadLetter: log.name('dead'), onError: deadLetter() })
    const source = app.topic(log.name('in'), { value: z.string() })
    app.each('read', { source }, ({ value }) => void seen.push(value))
    return app
  }
  const error = await log.endOf(reading())
  assert.ok(hasCode(error, 'TAILRACE_SCHEMA_TOO_LARGE'), String(error))
  const said = log.plain(error.message)
  assert.match(said, /the dead letter of "in" partition 0 offset 1 does not fit its topic/)
  assert.match(said, /a record for "dead" has \d+ bytes; .*max\.message\.bytes.* 1048588/)
  assert.match(error.hint, /^Raise the limit of the dead letter topic/)
  assert.deepEqual(error.context, { topic: log.name('in'), partition: 0, offset: 1 })
  assert.deepEqual(await log.read(log.name('dead')), [])
  await log.transport.admin().delete([log.name('dead')])
  await log.create(log.name('dead'), 1, roomy)
  const worker = await log.start(reading())
  await log.settled(worker, log.name('in'))
  const letters = await log.read(log.name('dead'))
  assert.deepEqual(
    letters.map(({ value }) => textOf(value)),
    [large]
  )
  assert.equal(seen.at(-1), 'after')
})

onKafka('a record that is too old for the dead letters is named as well', async (log) => {
  await log.create(log.name('in'), 1)
  await log.create(log.name('dead'), 1, { 'message.timestamp.before.max.ms': '60000' })
  await log.put(log.name('in'), [{ value: '"young"' }, { value: 'old', timestamp: 1_000 }])
  const app = log.app({ deadLetter: log.name('dead'), onError: deadLetter() })
  const source = app.topic(log.name('in'), { value: z.string() })
  app.each('read', { source }, () => undefined)
  const error = await log.endOf(app)
  assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_REFUSED'), String(error))
  const said = log.plain(error.message)
  assert.match(said, /the dead letter of "in" partition 0 offset 1 does not fit its topic/)
  assert.match(said, /a record for "dead" is of 1970-01-01T00:00:01\.000Z, more than 1m behind now/)
})
