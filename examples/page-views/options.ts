// What the demo is told on its command line.
import { parseArgs } from 'node:util'

export const usage = `npm run demo -- [options]
  --rate N        page views a second (default 1000; 0: as fast as it goes)
  --events N      send N at full speed, then none
  --exit          count what was sent and end; without --broker in a fresh log of its own
  --json          one line of JSON at the end
  --broker URL    embedded:<directory> (default embedded:./.tailrace/log) or memory:
  --datadir DIR   where the tables are kept (default ./.tailrace/data)
  --web-port N    port of the web pages (default 8088)`

export interface DemoOptions {
  readonly rate: number
  readonly events: number | undefined
  readonly isExit: boolean
  readonly isJson: boolean
  /** By the names of the worker's own flags. */
  readonly flags: Readonly<Record<string, string>>
}

/** Ends the process with 64 when something is not understood. */
export function demoOptions(args: readonly string[]): DemoOptions {
  try {
    return parsed(args)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return process.exit(64)
  }
}

function parsed(args: readonly string[]): DemoOptions {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ rate: text, events: text, exit: flag, json: flag, help: flag },
      ...{ broker: text, datadir: text, 'web-port': text }
    }
  })
  if (values.help) {
    console.log(usage)
    process.exit(0)
  }
  if (values.exit && values.events === undefined) throw new Error('--exit needs --events N')
  const events = values.events === undefined ? undefined : whole('--events', values.events)
  const flags = { broker: values.broker, datadir: values.datadir, 'web.port': values['web-port'] }
  const given = Object.entries(flags).filter((entry): entry is [string, string] => !!entry[1])
  return {
    rate: whole('--rate', values.rate ?? (events === undefined ? '1000' : '0')),
    events,
    isExit: values.exit,
    isJson: values.json,
    flags: Object.fromEntries(given)
  }
}

function whole(name: string, text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number
  throw new Error(`${name} is "${text}"; expected a whole number`)
}
