// What members of a group tell each other inside Kafka's own layout: deflated JSON behind a mark.

import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { TaskSpec } from '../../core/task-spec.ts'
import type { JoinRequest } from '../../port/coordinator.ts'
import type { TopicPartition } from '../../port/transport.ts'
import { encodeGiven, encodeSubscription } from './group-layout.ts'
import { userDataOfGiven, userDataOfSubscription } from './group-layout.ts'
import {
  type OwnedList,
  packOwned,
  packSpecs,
  packTasks,
  type SpecList,
  type TaskList,
  unpackOwned,
  unpackSpecs,
  unpackTasks
} from './group-tasks.ts'

/** What a member says of itself when it joins. */
export interface MemberWords {
  /** As the runtime named it. */
  readonly id: string
  readonly hash: string
  readonly tasks: readonly TaskSpec[]
  /** What it owns and has not released, by the epoch at which it was given. */
  readonly owned: ReadonlyMap<string, number>
  readonly url: string | undefined
  readonly transactionalId: string | undefined
  /** Generation of the assignment that it follows, 0 before the first. */
  readonly generation: number
  /** Transactional ids of that generation's members: who of them is gone must be fenced. */
  readonly peers: readonly string[]
}

/** One member in the view of a group. */
export interface SeenMember {
  readonly id: string
  readonly instanceId: string | undefined
  readonly url: string | undefined
  readonly tasks: readonly string[]
}

/** What the leader says to one member. */
export interface GivenWords {
  readonly generation: number
  /** Everything that it owns from now on; what has this generation as epoch is new. */
  readonly owned: ReadonlyMap<string, number>
  /** What it is meant to own: the rest should be released. */
  readonly wanted: readonly string[]
  /** Transactional ids to be fenced before anything new is begun. */
  readonly fence: readonly string[]
  /** No member knows who was in the group before: what they left open has to be looked for. */
  readonly isBlind: boolean
  /** Something waits for a release: the next generation is near. */
  readonly isMoving: boolean
  readonly peers: readonly string[]
  readonly members: readonly SeenMember[]
  readonly unowned: readonly string[]
}

/** Of `MemberWords`, as JSON. */
interface MemberJson {
  readonly id: string
  readonly hash: string
  readonly tasks: readonly SpecList[]
  readonly owned: OwnedList
  readonly url?: string
  readonly tx?: string
  readonly generation: number
  readonly peers: readonly string[]
}

interface GivenJson {
  readonly generation: number
  readonly owned: OwnedList
  readonly wanted: TaskList
  readonly fence: readonly string[]
  readonly blind?: true
  readonly moving: boolean
  readonly peers: readonly string[]
  readonly members: readonly {
    readonly id: string
    readonly instance?: string
    readonly url?: string
    readonly tasks: TaskList
  }[]
  readonly unowned: TaskList
}

/** Ours, and the first format of it. */
const mark = Buffer.from('tr\x01')

export function wordsOf(
  request: JoinRequest,
  state: Pick<MemberWords, 'generation' | 'owned' | 'peers'>
): MemberWords {
  const { memberId, tasks, topologyHash, transactionalId, url } = request
  return { id: memberId, hash: topologyHash, tasks, url, transactionalId, ...state }
}

export function encodeMember(words: MemberWords): Buffer {
  const { generation, hash, id, owned, peers, tasks, transactionalId, url } = words
  const json: MemberJson = {
    id,
    hash,
    tasks: packSpecs(tasks),
    owned: packOwned(owned),
    ...(url === undefined ? {} : { url }),
    ...(transactionalId === undefined ? {} : { tx: transactionalId }),
    generation,
    peers
  }
  const topics = new Set(tasks.flatMap(({ sources }) => sources.map(({ topic }) => topic)))
  return encodeSubscription({
    topics: [...topics].sort(),
    owned: sourcesOf(tasks, owned.keys()),
    userData: pack(json)
  })
}

/** Undefined where another kind of client wrote it. */
export function decodeMember(subscription: Buffer): MemberWords | undefined {
  const json = unpack<MemberJson>(userDataOfSubscription(subscription))
  if (json === undefined) return undefined
  const { generation, hash, id, owned, peers, tasks, tx, url } = json
  return {
    id,
    hash,
    tasks: unpackSpecs(tasks),
    owned: unpackOwned(owned),
    url,
    transactionalId: tx,
    generation,
    peers
  }
}

/** `tasks` are those that the member knows: their sources are what group tools show. */
export function encodeWords(words: GivenWords, tasks: readonly TaskSpec[]): Buffer {
  const { fence, generation, isBlind, isMoving, members, owned, peers, unowned, wanted } = words
  const json: GivenJson = {
    generation,
    owned: packOwned(owned),
    wanted: packTasks(wanted),
    fence,
    ...(isBlind ? { blind: true } : {}),
    moving: isMoving,
    peers,
    members: members.map(({ id, instanceId, tasks: own, url }) => ({
      id,
      ...(instanceId === undefined ? {} : { instance: instanceId }),
      ...(url === undefined ? {} : { url }),
      tasks: packTasks(own)
    })),
    unowned: packTasks(unowned)
  }
  return encodeGiven({ partitions: sourcesOf(tasks, owned.keys()), userData: pack(json) })
}

/** Undefined where another kind of client wrote it. */
export function decodeWords(assignment: Buffer): GivenWords | undefined {
  const json = unpack<GivenJson>(userDataOfGiven(assignment))
  if (json === undefined) return undefined
  const { blind, fence, generation, members, moving, owned, peers, unowned, wanted } = json
  return {
    generation,
    owned: unpackOwned(owned),
    wanted: unpackTasks(wanted),
    fence,
    isBlind: blind === true,
    isMoving: moving,
    peers,
    members: members.map(({ id, instance, tasks, url }) => {
      return { id, instanceId: instance, url, tasks: unpackTasks(tasks) }
    }),
    unowned: unpackTasks(unowned)
  }
}

function sourcesOf(tasks: readonly TaskSpec[], ids: Iterable<string>): TopicPartition[] {
  const wanted = new Set(ids)
  return tasks.filter(({ id }) => wanted.has(id)).flatMap(({ sources }) => sources)
}

function pack(json: MemberJson | GivenJson): Buffer {
  return Buffer.concat([mark, deflateRawSync(JSON.stringify(json))])
}

// The mark says that one of ours wrote it, so what it holds has the form that it had there.
function unpack<T extends MemberJson | GivenJson>(userData: Buffer | undefined): T | undefined {
  if (userData === undefined || !userData.subarray(0, mark.length).equals(mark)) return undefined
  const json: T = JSON.parse(inflateRawSync(userData.subarray(mark.length)).toString())
  return json
}
