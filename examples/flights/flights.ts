// 200,000 real flights of January 2001, in the order in which they landed.
import { fileURLToPath } from 'node:url'
import { zstdDecompressSync } from 'node:zlib'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'

export interface Flight {
  readonly origin: string
  readonly destination: string
  readonly miles: number
  /** Event time: when it departed, in ms since 1970. */
  readonly departedAt: number
}

const count = 200_000
const milesPerMinute = 8
const minuteMs = 60_000

interface Row {
  readonly date: Date
  /** In minutes. */
  readonly delay: bigint
  readonly distance: bigint
  readonly origin: string
  readonly destination: string
}

/** A flight is heard of when it lands, so the long and the delayed ones come late. */
export async function flightsAsTheyLand(): Promise<readonly Flight[]> {
  const rows = await readRows()
  const landed = rows.map(({ date, delay, distance, origin, destination }) => {
    const miles = Number(distance)
    const departedAt = date.getTime()
    const minutes = Number(delay) + miles / milesPerMinute
    return { at: departedAt + minutes * minuteMs, origin, destination, miles, departedAt }
  })
  return landed.sort((a, b) => a.at - b.at).map((one) => flightOf(one))
}

function flightOf({ departedAt, destination, miles, origin }: Flight): Flight {
  return { origin, destination, miles, departedAt }
}

// Of the files in the package this is the one of that size which says where a flight began:
// flights-200k.json has a delay, a distance and an hour, and no airport.
async function readRows(): Promise<Row[]> {
  const data = new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets'))
  const file = await asyncBufferFromFile(fileURLToPath(data))
  const rows = await parquetReadObjects({
    file,
    rowStart: 0,
    rowEnd: count,
    compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) }
  })
  return rows as Row[]
}
