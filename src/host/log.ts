// The log of a worker: JSON lines by pino, or lines for people, on standard error.
import { pino, stdSerializers } from 'pino'
import { type Log, silentLog } from '../runtime/log.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Names of fields whose value nobody should read in a log, on the top and one level down. */
const secretNames = ['password', 'passwd', 'secret', 'token', 'apiKey', 'authorization', 'cookie']

const standardError = 2

export interface LogOptions {
  readonly level: LogLevel
  readonly app: string
  readonly isJson: boolean
}

export async function createLog({ level, app, isJson }: LogOptions): Promise<Log> {
  if (level === 'silent') return silentLog
  // Written at once: the last line before a crash is the one that matters.
  const stream = isJson
    ? pino.destination({ fd: standardError, sync: true })
    : (await import('pino-pretty')).default({
        destination: standardError,
        sync: true,
        colorize: process.stderr.isTTY,
        ignore: 'pid,hostname,app',
        translateTime: 'SYS:HH:MM:ss.l',
        singleLine: true,
        errorLikeObjectKeys: ['error', 'err', 'cause']
      })
  const redact = { paths: secretNames.flatMap((name) => [name, `*.${name}`]), censor: '***' }
  const serializers = { error: stdSerializers.err, cause: stdSerializers.err }
  return pino<never>({ level, base: { pid: process.pid, app }, redact, serializers }, stream)
}
