// Membership of one connection in a group.

import { brokenInvariant, TailraceError } from '../../core/errors.ts'
import type { BeatAnswer, Coordinator, JoinRequest } from '../../port/coordinator.ts'
import type { MemoryBroker } from './broker.ts'
import type { Gate } from './gate.ts'
import type { Group } from './group.ts'

export class MemoryCoordinator implements Coordinator {
  readonly #broker: MemoryBroker
  readonly #gate: Gate
  #joined: { readonly request: JoinRequest; readonly group: Group } | undefined
  /** Version of the group that the last answer told. */
  #seenVersion = -1
  #isClosed = false
  readonly #closing = new Set<() => void>()

  constructor(broker: MemoryBroker, gate: Gate) {
    this.#broker = broker
    this.#gate = gate
  }

  join(request: JoinRequest): Promise<void> {
    return this.#pass('group.join', () => {
      const group = this.#broker.group(request.group)
      group.join(request)
      this.#joined = { request, group }
    })
  }

  beat(): Promise<BeatAnswer> {
    return this.#pass('group.beat', () => {
      const { request, group } = this.#membership('group.beat')
      if (group.hasMember(request.memberId)) this.#checkNotReplaced(group, request)
      const answer = group.beat(request.memberId) ?? rejoin(group, request)
      this.#seenVersion = answer.isLost ? -1 : group.version
      return answer
    })
  }

  release(tasks: readonly string[]): Promise<void> {
    return this.#pass('group.release', () => {
      const { request, group } = this.#membership('group.release')
      if (group.has(request)) group.release(request.memberId, tasks)
    })
  }

  changed(waitMaxMs: number): Promise<void> {
    return this.#pass('group.changed', () => {
      const { group } = this.#membership('group.changed')
      return new Promise((resolve) => {
        const end = (): void => {
          for (const forget of forgets) forget()
          resolve()
        }
        const { clock } = this.#broker
        const waitMs = group.version === this.#seenVersion ? waitMaxMs : 0
        this.#closing.add(end)
        const forgets = [
          group.changed.wait(end),
          clock.schedule(waitMs, end),
          this.#gate.onClose(end),
          () => this.#closing.delete(end)
        ]
      })
    })
  }

  leave(): Promise<void> {
    return this.#pass('group.leave', () => {
      if (this.#joined === undefined) return
      const { request, group } = this.#joined
      if (group.has(request)) group.leave(request.memberId)
      this.#joined = undefined
    })
  }

  /** Without `leave` the group finds out by the session, as if the process had died. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const end of [...this.#closing]) end()
  }

  async #pass<T>(operation: string, run: () => T | Promise<T>): Promise<T> {
    if (this.#isClosed) this.#gate.refuse(operation)
    return this.#gate.pass(operation, run)
  }

  #membership(operation: string): { readonly request: JoinRequest; readonly group: Group } {
    if (this.#joined === undefined) throw brokenInvariant(`${operation} before join or after leave`)
    return this.#joined
  }

  /** Coming back would throw the newer one out, and so on for ever. */
  #checkNotReplaced(group: Group, request: JoinRequest): void {
    if (group.has(request)) return
    throw new TailraceError(
      'TAILRACE_TRANSPORT_FENCED',
      `another worker joined group '${group.name}' as member '${request.memberId}'`,
      { isDefinite: true, hint: 'Give each worker a member id of its own.' }
    )
  }
}

/** Nothing is given in this answer: what was owned has to be dropped first. */
function rejoin(group: Group, request: JoinRequest): BeatAnswer {
  group.join(request)
  return { owned: [], revoked: [], isLost: true, view: group.view() }
}
