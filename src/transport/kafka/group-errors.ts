// What a group answers, as the member has to take it: try again, lost, or no place at all.

import { TailraceError } from '../../core/errors.ts'
import type { JoinRequest } from '../../port/coordinator.ts'
import { failure, toTailraceError } from './protocol-failure.ts'

/** Codes of Kafka that only groups answer. */
export const groupCodes = {
  illegalGeneration: 22,
  inconsistentProtocol: 23,
  unknownMember: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  memberIdRequired: 79,
  groupMaxSizeReached: 81,
  fencedInstance: 82
} as const

/** The group went on without this member. */
export function isLoss(code: number): boolean {
  return code === groupCodes.unknownMember || code === groupCodes.illegalGeneration
}

/** An error that asking again does not mend; undefined for what passes. */
export function refusalOf(code: number, request: JoinRequest): TailraceError | undefined {
  const group = JSON.stringify(request.group)
  switch (code) {
    case groupCodes.fencedInstance:
      return new TailraceError(
        'TAILRACE_TRANSPORT_DUPLICATE_INSTANCE',
        `another worker joined group ${group} as static member ` +
          `${JSON.stringify(request.instanceId ?? '')}; this one gives way`,
        { isDefinite: true }
      )
    case groupCodes.inconsistentProtocol:
      return foreignGroup(request)
    case groupCodes.invalidSessionTimeout:
      return new TailraceError(
        'TAILRACE_TRANSPORT_REFUSED',
        `the broker refuses a session timeout of ${request.sessionTimeoutMs} ms for group ${group}`,
        {
          isDefinite: true,
          hint: 'The broker sets `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.'
        }
      )
    case groupCodes.groupMaxSizeReached:
      return new TailraceError(
        'TAILRACE_TRANSPORT_REFUSED',
        `group ${group} has as many members as the broker allows`,
        { isDefinite: true, hint: 'Run fewer workers, or raise `group.max.size` of the broker.' }
      )
    default: {
      const refused = failure(code, `joining group ${group}`)
      if (refused.isRetriable || isLoss(code)) return undefined
      return toTailraceError(refused, 'the worker cannot join its group', { isDefinite: true })
    }
  }
}

export function foreignGroup({ group }: JoinRequest): TailraceError {
  return new TailraceError(
    'TAILRACE_TRANSPORT_FOREIGN_GROUP',
    `consumer group ${JSON.stringify(group)} has members that are no Tailrace workers; ` +
      'sharing partitions with them would lose or double events',
    { isDefinite: true }
  )
}
