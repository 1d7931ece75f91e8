// Departures per origin and hour, by the time of departure; those heard of too late are counted.
import { createApp, tumbling } from 'tailrace'
import { z } from 'zod'

export const app = createApp({ id: 'flights' })

const Flight = z.object({ destination: z.string(), miles: z.number() })

// These flights are of 2001: `retention: -1` keeps them, and so does a table that looks far back.
export const departed = app.topic('departed', { key: z.string(), value: Flight, retention: -1 })

const departures = app.table('departures', {
  key: z.string(),
  value: z.int(),
  initial: () => 0,
  window: tumbling('1h', { grace: '3h', retention: '60d' })
})
const late = app.table('late', { key: z.string(), value: z.int(), initial: () => 0 })

app.agent(
  'count',
  { source: departed, tables: { departures, late } },
  async (flights, { departures, late }) => {
    for await (const flight of flights) {
      const hour = departures.at(flight)
      if (hour.isLate) late.update(flight.key, (count) => count + 1)
      else hour.update(flight.key, (count) => count + 1)
    }
  }
)

app.web.get('/departures/:origin', async (c) => {
  const { value } = await departures.query(c.req.param('origin'))
  return c.json(value.map((hour) => [new Date(hour.start).toISOString(), hour.value]))
})

const all = { limit: Number.MAX_SAFE_INTEGER }
app.web.get('/report', async (c) => {
  const hours = await Array.fromAsync(departures.scan(all))
  return c.json({
    departures: hours.map(([origin, hour]) => [origin, hour.start, hour.value]),
    late: await Array.fromAsync(late.scan(all))
  })
})

if (import.meta.main) await app.main()
