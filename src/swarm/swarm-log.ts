// The log of a supervisor: the same lines as a worker's, without the library that writes those. A
// supervisor says little, and every megabyte of it is one that a node could have.
import type { Log } from '../runtime/log.ts'

const levels = { debug: 20, info: 30, warn: 40, error: 50 } as const

type Level = keyof typeof levels

export interface SwarmLogOptions {
  readonly level: Level | 'silent'
  readonly isJson: boolean
  readonly fields: Readonly<Record<string, unknown>>
  /** @default standard error */
  readonly write?: (text: string) => void
}

export function createSwarmLog(options: SwarmLogOptions): Log {
  const { fields, isJson, level, write = (text) => void process.stderr.write(text) } = options
  const least = level === 'silent' ? Infinity : levels[level]
  const line =
    (at: Level) =>
    (own: object, message: string = ''): void => {
      if (levels[at] < least) return
      write(isJson ? jsonLine(at, { ...fields, ...own }, message) : textLine(at, own, message))
    }
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (more) => createSwarmLog({ ...options, fields: { ...fields, ...more } })
  }
}

function jsonLine(at: Level, fields: object, message: string): string {
  return `${JSON.stringify({ level: levels[at], time: Date.now(), ...fields, msg: message })}\n`
}

function textLine(at: Level, own: object, message: string): string {
  const entries = Object.entries(own).filter(([name, value]) => {
    const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0)
    return name !== 'node' && name !== 'nodePid' && !isEmpty
  })
  const time = new Date().toTimeString().slice(0, 8)
  const milliseconds = String(Date.now() % 1_000).padStart(3, '0')
  const fields = entries.length === 0 ? '' : ` ${JSON.stringify(Object.fromEntries(entries))}`
  return `[${time}.${milliseconds}] ${at.toUpperCase()}: ${message}${fields}\n`
}
