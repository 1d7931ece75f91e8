// One round of a group: join, share out where this member leads, learn what is its own. Tried again
// until the group has taken the member in, or refuses it for good.

import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'
import type { JoinRequest } from '../../port/coordinator.ts'
import { foreignGroup, groupCodes, isLoss, refusalOf } from './group-errors.ts'
import type { GroupHolding } from './group-holding.ts'
import { type JoinedMember, planGeneration } from './group-leader.ts'
import type { Asker, GroupWire, JoinReply, SyncQuestion } from './group-wire.ts'
import { decodeMember, decodeWords, encodeMember, encodeWords, wordsOf } from './group-words.ts'
import { failure, KafkaFailure, kafka } from './protocol-failure.ts'

export interface RoundParts {
  readonly request: JoinRequest
  readonly wire: GroupWire
  readonly holding: GroupHolding
  readonly clock: Clock
  readonly signal: AbortSignal
  /** The broker has given the member a name: the group knows of it. */
  readonly onNamed: () => void
  /** Something that passes; it is tried again. */
  readonly onTrouble: (failure: KafkaFailure) => void
}

/** The whole of a group is one record of the broker, of 1 MB by default. */
const groupBytesMax = 700_000
const backOffMs = { first: 50, max: 1_000 }

/**
 * Answers whom to fence before what is new may begin; undefined when it was ended by the signal.
 *
 * @throws TailraceError where the group has no place for this member
 */
export async function runRound(parts: RoundParts): Promise<readonly string[] | undefined> {
  const { clock, onTrouble, signal } = parts
  for (let delayMs = backOffMs.first; !signal.aborted; ) {
    try {
      const fence = await attempt(parts)
      if (fence !== undefined) return fence
    } catch (error) {
      if (signal.aborted) return undefined
      if (!(error instanceof KafkaFailure) || !error.isRetriable) throw error
      onTrouble(error)
      await pause(clock, delayMs * (0.8 + Math.random() * 0.4), signal)
      delayMs = Math.min(backOffMs.max, delayMs * 2)
    }
  }
  return undefined
}

/** Undefined where the next attempt should follow at once. */
async function attempt(parts: RoundParts): Promise<readonly string[] | undefined> {
  const joined = await join(parts)
  if (joined === undefined || parts.signal.aborted) return undefined
  return sync(joined, parts)
}

async function join(parts: RoundParts): Promise<JoinReply | undefined> {
  const { holding, onNamed, request, wire } = parts
  const reply = await wire.join({
    ...askerOf(parts),
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs ?? request.sessionTimeoutMs,
    subscription: encodeMember(wordsOf(request, holding.speak()))
  })
  switch (reply.errorCode) {
    case kafka.none:
      holding.named(reply.memberId)
      onNamed()
      return reply
    case groupCodes.memberIdRequired:
      holding.named(reply.memberId)
      onNamed()
      return undefined
    default:
      return passed(reply.errorCode, parts)
  }
}

async function sync(joined: JoinReply, parts: RoundParts): Promise<readonly string[] | undefined> {
  const { holding, request, wire } = parts
  const { generation } = joined
  const given = joined.isLeader && !joined.isSharedOut ? shareOut(joined, request) : []
  const reply = await wire.sync({ ...askerOf(parts), generation, given })
  if (reply.errorCode !== kafka.none) return passed(reply.errorCode, parts)
  const words = decodeWords(reply.assignment)
  if (words === undefined) throw foreignGroup(request)
  return holding.adopt(generation, words)
}

/** What is no refusal: it is joined again, at once or after a pause. */
function passed(code: number, { holding, request }: RoundParts): undefined {
  if (isLoss(code)) {
    holding.lose({ keepsName: code === groupCodes.illegalGeneration })
    return undefined
  }
  if (code === groupCodes.rebalanceInProgress) return undefined
  throw refusalOf(code, request) ?? failure(code, `joining group ${JSON.stringify(request.group)}`)
}

function askerOf({ holding, request: { group, instanceId } }: RoundParts): Asker {
  return { group, instanceId, memberId: holding.standing.memberId }
}

function shareOut({ generation, members }: JoinReply, request: JoinRequest): SyncQuestion['given'] {
  const joined = members.map(({ instanceId, memberId, subscription }): JoinedMember => {
    const words = decodeMember(subscription)
    if (words === undefined) throw foreignGroup(request)
    return { memberId, instanceId, words }
  })
  const plan = planGeneration(generation, joined)
  const encode = (hasView: boolean): SyncQuestion['given'] =>
    joined.flatMap(({ memberId, words: { tasks } }) => {
      const words = plan.get(memberId)
      if (words === undefined) return []
      const own = hasView ? words : { ...words, members: [], unowned: [] }
      return { memberId, assignment: encodeWords(own, tasks) }
    })
  const given = encode(true)
  const bytes = [
    ...members.map(({ subscription }) => subscription.length),
    ...given.map(({ assignment }) => assignment.length)
  ].reduce((sum, length) => sum + length, 0)
  // Who owns what can be told in another way; what a member owns cannot.
  return bytes > groupBytesMax ? encode(false) : given
}
