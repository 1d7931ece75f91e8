// What an app does in each of its processes before a worker starts there.

/** Which process it is: node `id` of `count`; a worker alone is node 0 of 1. */
export interface NodeContext {
  readonly id: number
  readonly count: number
  /** Undefined for a worker that no swarm has started. */
  readonly supervisorPid: number | undefined
}

/** Awaited, before anything of the worker is opened. */
export type NodeHook = (node: NodeContext) => unknown
