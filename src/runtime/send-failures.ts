// Which errors came from what an event wrote, an output or a row: its policy is told `send`.
const noted = new WeakSet<object>()

/** Notes an error on its way through the agent's function, which may catch it. */
export function asSendFailure(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) noted.add(error)
  return error
}

/** The stage of an event that failed with this error while its agent worked on it. */
export function stageOf(error: unknown): 'handle' | 'send' {
  return typeof error === 'object' && error !== null && noted.has(error) ? 'send' : 'handle'
}
