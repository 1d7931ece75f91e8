// The log of a worker: JSON lines by pino, or lines for people, on standard error.
import { pino, stdSerializers } from 'pino'
import type { NodePlace } from '../runtime/node-place.ts'
import { isOurs } from './error-text.ts'
import { type Log, silentLog } from '../runtime/log.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Names of fields whose value nobody should read in a log, on the top and one level down. */
const secretNames = ['password', 'passwd', 'secret', 'token', 'apiKey', 'authorization', 'cookie']

const standardError = 2

export interface LogOptions {
  readonly level: LogLevel
  readonly app: string
  readonly isJson: boolean
  /** Of a swarm, which every line then names. */
  readonly node?: NodePlace | undefined
}

export async function createLog({ level, app, isJson, node }: LogOptions): Promise<Log> {
  if (level === 'silent') return silentLog
  // Written at once: the last line before a crash is the one that matters.
  const stream = isJson
    ? pino.destination({ fd: standardError, sync: true })
    : (await import('pino-pretty')).default({
        destination: standardError,
        sync: true,
        colorize: process.stderr.isTTY,
        ignore: 'pid,hostname,app,supervisorPid',
        translateTime: 'SYS:HH:MM:ss.l',
        singleLine: true,
        errorLikeObjectKeys: ['error', 'err', 'cause']
      })
  const redact = { paths: secretNames.flatMap((name) => [name, `*.${name}`]), censor: '***' }
  const serializers = { error: errorFields, err: errorFields }
  const place = node === undefined ? {} : { node: node.id, supervisorPid: node.supervisorPid }
  const base = { pid: process.pid, app, ...place }
  return pino<never>({ level, base, redact, serializers }, stream)
}

/** Our own errors say all in their text; the stack is for errors of the user, and for our bugs. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  if (!isOurs(error) || error.code === 'TAILRACE_BUG_INVARIANT') return stdSerializers.err(error)
  const { cause, code, context, hint, message } = error
  const known = { code, message, hint, context }
  return cause === undefined ? known : { ...known, cause: errorFields(cause) }
}
