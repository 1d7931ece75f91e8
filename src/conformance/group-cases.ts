// Conformance of groups: one owner for each task, released or expired before the next.

import assert from 'node:assert/strict'
import type { TaskSpec } from '../core/task-spec.ts'
import type { TaskCommit } from '../port/transport.ts'
import { GroupMember, joinGroup, settleGroup } from './group-member.ts'
import { ownedTask } from './owned-task.ts'
import type { Case } from './suite.ts'
import type { TransportScene } from './transport-scene.ts'
import { fencedOf, nextChunk, recordsOf, rejectsWith, taskOf } from './transport-scene.ts'

export const groupCases: readonly Case<TransportScene>[] = [
  {
    title: 'a member alone is given every task, and the view says so',
    async run(scene) {
      const tasks = fourTasks()
      const member = await joinGroup(scene, 'a', tasks, { url: 'http://127.0.0.1:1' })
      const { view, revoked, isLost } = await member.beat()
      assert.deepEqual(member.taskIds(), idsOf(tasks))
      assert.deepEqual([revoked, isLost], [[], false])
      assert.deepEqual(view.unowned, [])
      const [self] = view.members
      assert.deepEqual([self?.memberId, self?.url], ['a', 'http://127.0.0.1:1'])
      assert.deepEqual([...(self?.tasks ?? [])].sort(compare), idsOf(tasks))
    }
  },
  {
    title: 'a second member is given its share only when the first has released it',
    async run(scene) {
      const first = await joinGroup(scene, 'a', fourTasks())
      await first.beat()
      const second = await joinGroup(scene, 'b', fourTasks())
      assert.deepEqual((await second.beat()).owned, [])
      const { revoked, owned } = await first.beat()
      assert.equal(revoked.length, 2)
      assert.equal(owned.length, 4, 'what is revoked is owned until it is released')
      assert.deepEqual((await second.beat()).owned, [])
      await first.release(revoked)
      await second.beat()
      assert.deepEqual(second.taskIds(), [...revoked].sort(compare))
      await first.beat()
      assert.equal(first.taskIds().length, 2)
    }
  },
  {
    title: 'tasks that stay keep their epoch when others move',
    async run(scene) {
      const first = await joinGroup(scene, 'a', fourTasks())
      await first.beat()
      const before = new Map(first.epochs)
      const second = await joinGroup(scene, 'b', fourTasks())
      await settleGroup([first, second])
      for (const [task, epoch] of first.epochs) assert.equal(epoch, before.get(task))
      for (const [task, epoch] of second.epochs) {
        assert.ok(epoch > (before.get(task) ?? 0), `${task} moved without a later epoch`)
      }
    }
  },
  {
    title: 'the generation moves when a member joins and when one leaves',
    async run(scene) {
      const first = await joinGroup(scene, 'a', fourTasks())
      const generations = [(await first.beat()).view.generation]
      const second = await joinGroup(scene, 'b', fourTasks())
      generations.push((await first.beat()).view.generation)
      await second.leave()
      generations.push((await first.beat()).view.generation)
      const [one, two, three] = generations as [number, number, number]
      assert.ok(one < two && two < three, `generations were ${generations.join(', ')}`)
      assert.equal((await first.beat()).view.generation, three, 'nothing happened since')
    }
  },
  {
    title: 'whoever leaves gives everything up at once',
    async run(scene) {
      const members = [
        await joinGroup(scene, 'a', fourTasks()),
        await joinGroup(scene, 'b', fourTasks())
      ] as const
      await settleGroup(members)
      await members[0].leave()
      const { view } = await members[1].beat()
      assert.equal(members[1].taskIds().length, 4)
      assert.equal(view.members.length, 1)
    }
  },
  {
    title: 'a member that stops beating expires, and is told when it comes back',
    async run(scene) {
      const [silent, alive] = [
        await joinGroup(scene, 'a', fourTasks()),
        await joinGroup(scene, 'b', fourTasks())
      ]
      await settleGroup([silent, alive])
      const lost = [...silent.epochs][0] as [string, number]
      silent.fallSilent()
      await beatFor(scene, alive, scene.features.sessionTimeoutMs * 1.5)
      assert.equal(alive.taskIds().length, 4)
      const answer = await silent.beat()
      assert.equal(answer.isLost, true)
      await settleGroup([silent, alive])
      assert.equal(silent.taskIds().length, 2, 'it has rejoined and works again')
      for (const [task, epoch] of silent.epochs) {
        assert.ok(task !== lost[0] || epoch > lost[1], 'a task came back under its old epoch')
      }
    }
  },
  {
    title: 'a member that beats stays, however long it takes',
    async run(scene) {
      const members = [
        await joinGroup(scene, 'a', fourTasks()),
        await joinGroup(scene, 'b', fourTasks())
      ] as const
      const { generation } = await settleGroup(members)
      const steps = 10
      for (let i = 0; i < steps; i++) {
        await scene.pause((scene.features.sessionTimeoutMs * 3) / steps)
        for (const member of members) assert.equal((await member.beat()).isLost, false)
      }
      assert.equal((await members[0].beat()).view.generation, generation)
    }
  },
  {
    title: 'a wall clock that jumps expires nobody, and keeps nobody',
    async run(scene) {
      const [silent, alive] = [
        await joinGroup(scene, 'a', fourTasks()),
        await joinGroup(scene, 'b', fourTasks())
      ]
      const { generation } = await settleGroup([silent, alive])
      for (const days of [1, -2]) {
        scene.jumpWall(days * 86_400_000)
        for (const member of [silent, alive]) assert.equal((await member.beat()).isLost, false)
      }
      assert.equal((await alive.beat()).view.generation, generation)
      silent.fallSilent()
      await beatFor(scene, alive, scene.features.sessionTimeoutMs * 1.5)
      assert.equal(alive.taskIds().length, 4)
    }
  },
  {
    title: 'the commit of a member that expired is refused once another has the task',
    async run(scene) {
      const topic = await scene.topic(1)
      const tasks = [taskOf(0, topic)]
      const silent = await joinGroup(scene, 'a', tasks)
      await silent.beat()
      const stale = silent.commitOf(`${topic}/0`, { topic, partition: 0 }, 5)
      silent.fallSilent()
      const alive = await joinGroup(scene, 'b', tasks)
      await beatFor(scene, alive, scene.features.sessionTimeoutMs * 1.5)
      assert.deepEqual(alive.taskIds(), [`${topic}/0`])
      assert.deepEqual(await commitFenced(scene, stale), [`${topic}/0`])
      assert.equal(await scene.committed(silent.group, { topic, partition: 0 }), undefined)
      const fresh = alive.commitOf(`${topic}/0`, { topic, partition: 0 }, 6)
      assert.deepEqual(await commitFenced(scene, fresh), [])
      assert.equal(await scene.committed(silent.group, { topic, partition: 0 }), 6)
    }
  },
  {
    title: 'a commit after release is refused, and an old epoch stays worthless',
    async run(scene) {
      const topic = await scene.topic(1)
      const source = { topic, partition: 0 }
      const first = await joinGroup(scene, 'a', [taskOf(0, topic)])
      await first.beat()
      const old = first.commitOf(`${topic}/0`, source, 5)
      await first.release([`${topic}/0`])
      assert.deepEqual(await commitFenced(scene, old), [`${topic}/0`])
      const second = await joinGroup(scene, 'b', [taskOf(0, topic)])
      await first.leave()
      await second.beat()
      await second.leave()
      const again = await joinGroup(scene, 'a', [taskOf(0, topic)])
      await again.beat()
      assert.deepEqual(again.taskIds(), [`${topic}/0`])
      assert.deepEqual(await commitFenced(scene, old), [`${topic}/0`])
    }
  },
  {
    title: 'joining again under the same id makes the earlier grants worthless',
    async run(scene) {
      const topic = await scene.topic(1)
      const tasks = [taskOf(0, topic)]
      const first = await joinGroup(scene, 'a', tasks)
      await first.beat()
      const old = first.commitOf(`${topic}/0`, { topic, partition: 0 }, 5)
      first.fallSilent()
      const again = await joinGroup(scene, 'a', tasks)
      await again.beat()
      assert.deepEqual(again.taskIds(), [`${topic}/0`])
      assert.deepEqual(await commitFenced(scene, old), [`${topic}/0`])
    }
  },
  {
    title: 'changed waits as long as asked when nothing happens',
    async run(scene) {
      const member = await joinGroup(scene, 'a', fourTasks())
      await member.beat()
      await member.beat()
      const before = scene.clock.monotonic()
      await member.coordinator.changed(40)
      assert.ok(scene.clock.monotonic() - before >= 35, 'it did not wait')
    }
  },
  {
    title: 'changed is woken by a join, a release and a leave',
    async run(scene) {
      const member = await joinGroup(scene, 'a', fourTasks())
      await member.beat()
      const other = await joinGroup(scene, 'b', fourTasks())
      const { revoked } = await member.beat()
      await other.beat()
      const acts = [
        { who: other, act: () => member.release(revoked) },
        { who: member, act: () => other.leave() },
        { who: member, act: () => joinGroup(scene, 'c', fourTasks()) }
      ]
      for (const { who, act } of acts) {
        await member.beat()
        await who.beat()
        const before = scene.clock.monotonic()
        const woken = who.coordinator.changed(30_000)
        await scene.pause(10)
        await act()
        await woken
        assert.ok(scene.clock.monotonic() - before < 5_000, 'it waited for the whole time')
      }
    }
  },
  {
    title: 'a change between a beat and changed is not missed',
    async run(scene) {
      const member = await joinGroup(scene, 'a', fourTasks())
      await member.beat()
      await joinGroup(scene, 'b', fourTasks())
      await scene.pause(20)
      const before = scene.clock.monotonic()
      await member.coordinator.changed(30_000)
      assert.ok(scene.clock.monotonic() - before < 5_000, 'it waited for the whole time')
    }
  },
  {
    title: 'members are given only tasks they know',
    async run(scene) {
      const [s, added] = [fourTasks(), [taskOf(0, 'added'), taskOf(1, 'added')]]
      const old = await joinGroup(scene, 'a', s, { topologyHash: 'old' })
      const fresh = await joinGroup(scene, 'b', [...s, ...added], { topologyHash: 'new' })
      await settleGroup([old, fresh])
      assert.ok(idsOf(added).every((id) => fresh.taskIds().includes(id)))
      assert.equal(old.taskIds().length + fresh.taskIds().length, 6)
    }
  },
  {
    title: 'a merged grouping waits until the old one is gone, so no partition has two readers',
    async run(scene) {
      const apart = [taskOf(0, 'a'), taskOf(0, 'b')]
      const old = await joinGroup(scene, 'm1', apart, { topologyHash: 'old' })
      await old.beat()
      const merged = [taskOf(0, 'a', 'b')]
      const fresh = await joinGroup(scene, 'm2', merged, { topologyHash: 'new' })
      await settleGroup([old, fresh])
      assert.deepEqual([old.taskIds(), fresh.taskIds()], [idsOf(apart), []])
      await old.leave()
      await fresh.beat()
      assert.deepEqual(fresh.taskIds(), idsOf(merged))
    }
  },
  {
    title: 'a table fed from another topic waits until the old task is gone: one writer',
    async run(scene) {
      const changelogs = [{ topic: 'app-t-changelog', partition: 0 }]
      const before = [{ ...taskOf(0, 'a'), changelogs }]
      const after = [{ ...taskOf(0, 'b'), changelogs }]
      const old = await joinGroup(scene, 'm1', before, { topologyHash: 'old' })
      await old.beat()
      const fresh = await joinGroup(scene, 'm2', after, { topologyHash: 'new' })
      await settleGroup([old, fresh])
      assert.deepEqual([old.taskIds(), fresh.taskIds()], [idsOf(before), []])
      await old.leave()
      await fresh.beat()
      assert.deepEqual(fresh.taskIds(), idsOf(after))
    }
  },
  {
    title: 'closing a connection without leave keeps the tasks until the session is over',
    async run(scene) {
      const gone = await joinGroup(scene, 'a', fourTasks())
      await gone.beat()
      const other = await joinGroup(scene, 'b', fourTasks())
      await other.beat()
      await gone.close()
      await other.beat()
      assert.deepEqual(other.taskIds(), [])
      await beatFor(scene, other, scene.features.sessionTimeoutMs * 1.5)
      assert.equal(other.taskIds().length, 4)
      await rejectsWith(gone.coordinator.beat(), 'TAILRACE_TRANSPORT_CLOSED')
    }
  },
  {
    title: 'groups are apart',
    async run(scene) {
      const one = await joinGroup(scene, 'a', fourTasks(), { group: 'one' })
      const two = await joinGroup(scene, 'a', fourTasks(), { group: 'two' })
      for (const member of [one, two]) {
        await member.beat()
        assert.equal(member.taskIds().length, 4)
      }
    }
  },
  {
    title: 'many members come and go, and no task ever has two owners',
    async run(scene) {
      const tasks = Array.from({ length: 12 }, (_, partition) => taskOf(partition, 'many'))
      const members: GroupMember[] = []
      for (let i = 0; i < 5; i++) {
        members.push(await joinGroup(scene, `m${i}`, tasks))
        await settleGroup(members)
        assertShares(members, tasks)
      }
      while (members.length > 1) {
        await members.shift()?.leave()
        await settleGroup(members)
        assertShares(members, tasks)
      }
    }
  },
  {
    title: 'an offset may be committed with the leader epoch of its chunk, and is gone on from',
    async run(scene) {
      const { commit, source } = await ownedTask(scene)
      await scene.sendApart(source, 'read', 'next')
      const fetcher = await scene.transport.fetcher()
      fetcher.add([{ ...source, offset: 0 }])
      const { leaderEpoch } = await nextChunk(fetcher, source)
      const offsets = [{ ...source, offset: 1, metadata: '', leaderEpoch }]
      assert.deepEqual(await commitFenced(scene, { ...commit(1), offsets }), [])
      const admin = scene.transport.admin()
      const [found] = await admin.committed(scene.named('group'), [source])
      assert.ok(found !== undefined)
      // A log whose leaders never change need not keep it.
      if (found.leaderEpoch !== undefined) assert.equal(found.leaderEpoch, leaderEpoch)
      fetcher.add([found])
      const chunk = await nextChunk(fetcher, source)
      assert.equal(chunk.outOfRange, undefined)
      assert.equal(recordsOf(chunk, found.offset)[0]?.value, 'next')
      await fetcher.close()
    }
  }
]

function fourTasks(): TaskSpec[] {
  return [0, 1, 2, 3].map((partition) => taskOf(partition, 'source'))
}

function idsOf(tasks: readonly TaskSpec[]): string[] {
  return tasks.map((task) => task.id).sort(compare)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : 1
}

async function beatFor(scene: TransportScene, member: GroupMember, ms: number): Promise<void> {
  const until = scene.clock.monotonic() + ms
  while (scene.clock.monotonic() < until) {
    await member.beat()
    await scene.pause(scene.features.sessionTimeoutMs / 10)
  }
  await member.beat()
}

async function commitFenced(scene: TransportScene, commit: TaskCommit): Promise<readonly string[]> {
  const producer = await scene.transport.transactionalProducer(scene.named('commit'))
  await producer.begin()
  producer.commitOffsets(commit)
  const fenced = await fencedOf(producer.end(), [commit.task])
  await producer.close()
  return fenced
}

function assertShares(members: readonly GroupMember[], tasks: readonly TaskSpec[]): void {
  const all = members.flatMap((member) => member.taskIds())
  assert.deepEqual(all.sort(compare), idsOf(tasks))
  const counts = members.map((member) => member.taskIds().length)
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `shares of ${counts.join(', ')}`)
}
