// What the runtime writes its log to; pino fits it, and so does anything with these five words.

/** A structured log: fields first, then a sentence. Fields never hold keys or values of records. */
export interface Log {
  debug(fields: object, message?: string): void
  info(fields: object, message?: string): void
  warn(fields: object, message?: string): void
  error(fields: object, message?: string): void
  /** The same log with these fields in every line. */
  child(fields: Record<string, unknown>): Log
}

/** Writes nothing: for tests, and for programs that only send. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog
}
