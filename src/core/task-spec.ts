// A task as the assignor and the transports see it: a name, its source partitions, its weight.

export interface TaskSpec {
  /** `<sub-topology>/<partition>`; the same on every member with the same topology. */
  readonly id: string
  readonly subTopology: string
  readonly partition: number
  /** Source partitions it reads; a partition belongs to exactly one task. */
  readonly sources: readonly { readonly topic: string; readonly partition: number }[]
  readonly isStateful: boolean
}
