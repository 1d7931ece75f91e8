// Kill points: named places where a test ends the process at the worst moment. Off unless armed.

/** Every label, with what has happened by then. */
export const failpoints = {
  'keeper.starting': 'the worker has its connections, and its keeper has none',
  'fetch.received': 'records were fetched and none of them was looked at',
  'event.open': 'an event was decoded and its agent is about to run',
  'event.finished-in-commit': 'a record finished between the freezing of a commit and its end',
  'commit.frozen': 'dirty values are encoded and nothing of them is in the log',
  'commit.ended': 'outputs, changelogs and offsets are in the log and not yet in the store',
  'commit.stored': 'the store holds the commit',
  'restore.batch': 'a part of a changelog was written to the store',
  'embedded.write.bytes': 'bytes lie in the segment files and nothing points to them',
  'embedded.write.committed': 'the log holds the write and nobody was told',
  'kafka.delivered': 'at-least-once: all of a commit is in the log, and its offsets are not',
  'kafka.end.sent': 'Kafka was asked to commit, and its answer was not read'
} as const

export type FailpointLabel = keyof typeof failpoints

interface Armed {
  readonly label: FailpointLabel
  left: number
  readonly fire: () => void
}

let armed: Armed | undefined

/** Arms one label: `fire` is called when it is reached for the `n`th time. */
export function armFailpoint(label: FailpointLabel, n: number, fire: () => void): void {
  armed = { label, left: n, fire }
}

/** Does nothing, unless this label is armed and its turn has come. */
export function failpoint(label: FailpointLabel): void {
  if (armed === undefined || armed.label !== label) return
  armed.left--
  if (armed.left === 0) armed.fire()
}
