// A task as the assignor and the transports see it: a name, and the partitions that are its alone.

interface Partition {
  readonly topic: string
  readonly partition: number
}

export interface TaskSpec {
  /** `<sub-topology>/<partition>`; the same on every member with the same topology. */
  readonly id: string
  readonly subTopology: string
  readonly partition: number
  /** Source partitions it reads; a partition belongs to exactly one task. */
  readonly sources: readonly Partition[]
  /** Changelog partitions it writes, of one task too. @default none: it has no tables */
  readonly changelogs?: readonly Partition[]
}

/** What no other task may have while this one is owned: names of partitions. */
export function claimsOf({ changelogs = [], sources }: TaskSpec): readonly string[] {
  return [...sources, ...changelogs].map(({ partition, topic }) => `${topic}/${partition}`)
}
