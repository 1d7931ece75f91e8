// What a process of ours ends with: one table, for code, help and docs.

export const exitCodes = { stopped: 0, crashed: 1, forced: 2, orphaned: 3, usage: 64 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What each means, as the command line says it. */
export const exitCodeTexts: Readonly<Record<ExitCode, string>> = {
  0: 'done or stopped',
  1: 'failed or crashed',
  2: 'stopped by force',
  3: 'the supervisor of the swarm is gone',
  64: 'used wrongly'
}

/** The exit code for an error that came before a worker ran. */
export function exitCodeOf(error: unknown): ExitCode {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return isUsage(code) ? exitCodes.usage : exitCodes.crashed
}

/** Errors that a person makes on the command line or in options. */
export function isUsage(code: string): boolean {
  return code.startsWith('TAILRACE_CONFIG_') || code === 'TAILRACE_TRANSPORT_UNKNOWN_URL'
}
