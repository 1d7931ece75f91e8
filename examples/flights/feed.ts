// Sends the flights to the log, a slice at a time; no worker runs in this program.
import { flightsAsTheyLand } from './flights.ts'
import { departed } from './main.ts'

const flights = await flightsAsTheyLand()
const sliceSize = 2_000

for (let from = 0; from < flights.length; from += sliceSize) {
  const slice = flights.slice(from, from + sliceSize)
  await Promise.all(
    slice.map(({ origin, departedAt, ...value }) =>
      departed.send({ key: origin, value, timestamp: departedAt })
    )
  )
}
console.log(`sent ${flights.length} flights`)
