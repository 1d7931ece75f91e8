// How long a member of a group may be silent, and how often it is heard: what it is where nobody
// says it.

export interface GroupTimes {
  readonly sessionTimeoutMs: number
  readonly heartbeatMs: number
}

type GivenTimes = { readonly [time in keyof GroupTimes]?: number | undefined }

/** Two beats of a session may be lost: a default gives way to a session that is short. */
const beatsOfSession = 3

export function groupTimesOf({ heartbeatMs, sessionTimeoutMs = 45_000 }: GivenTimes): GroupTimes {
  const preset = Math.min(3_000, Math.floor(sessionTimeoutMs / beatsOfSession))
  return { sessionTimeoutMs, heartbeatMs: heartbeatMs ?? preset }
}
