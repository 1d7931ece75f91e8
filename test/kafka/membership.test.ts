// Groups on real Kafka: who owns what, when it moves, and who is told.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { kafka } from '../../scripts/kafka/jars.ts'
import { hasCode } from '../../src/core/errors.ts'
import type { TaskSpec } from '../../src/core/task-spec.ts'
import type { GroupMember, OwnedTask } from '../../src/port/coordinator.ts'
import type { TaskCommit } from '../../src/port/transport.ts'
import { createKafkaTransport } from '../../src/transport/kafka/index.ts'
import { joinGroupV9 } from '../../src/transport/kafka/library.ts'
import { javaTool, type TestBroker, testBroker } from './broker.ts'
import { type MemberParts, Members, ownName, settled, tasksOf, until } from './member.ts'
import { Session } from './session.ts'

let broker: TestBroker
const limits = { timeout: 120_000 }

before(async () => {
  broker = await testBroker()
})

after(async () => {
  await broker[Symbol.asyncDispose]()
})

function sceneOf(count: number = 4): { readonly parts: MemberParts; readonly tasks: TaskSpec[] } {
  const group = ownName('members')
  const tasks = tasksOf(`${group}-source`, count)
  return { tasks, parts: { url: broker.url, group, tasks } }
}

test('a member alone has every task, and a second one gets half of them', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf()
  const first = await members.join('a', parts)
  await settled([first], tasks)
  const before = new Map(first.last.owned.map(({ task, epoch }) => [task, epoch]))
  const second = await members.join('b', parts)
  await settled([first, second], tasks)
  assert.deepEqual([first.tasks.length, second.tasks.length], [2, 2])
  for (const { task, epoch } of first.last.owned) assert.equal(epoch, before.get(task), task)
  for (const { task, epoch } of second.last.owned) assert.ok(epoch > (before.get(task) ?? 0))
  const staying = first.tasks
  for (const { owned } of first.answers.filter(({ owned }) => owned.length > 0)) {
    const ids = owned.map(({ task }) => task)
    assert.ok(
      staying.every((task) => ids.includes(task)),
      'what stays was never taken away'
    )
  }
  assert.ok([...first.answers, ...second.answers].every(({ isLost }) => !isLost))
  const { members: seen, unowned } = first.last.view
  assert.deepEqual(unowned, [])
  assert.deepEqual(seen.map(({ memberId }) => memberId).sort(), ['a', 'b'])
  assert.deepEqual(seen.flatMap((one) => one.tasks).sort(), tasks.map(({ id }) => id).sort())
})

test('what is revoked stays with its owner until it is released', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf()
  const first = await members.join('a', parts)
  await settled([first], tasks)
  first.isReleasing = false
  const second = await members.join('b', parts)
  await until(() => first.last.revoked.length === 2, 'two tasks are revoked')
  const { revoked } = first.last
  await until(() => second.answers.length > 0, 'the second is taken in')
  const generation = second.generation
  await new Promise((resolve) => setTimeout(resolve, 500))
  assert.deepEqual([first.tasks.length, second.tasks.length], [4, 0])
  assert.equal(second.generation, generation, 'nothing moves by itself')
  await first.release(revoked)
  await settled([first, second], tasks)
  assert.deepEqual(second.tasks, [...revoked].sort())
})

test('whoever leaves gives up everything at once', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf()
  const [first, second] = [await members.join('a', parts), await members.join('b', parts)]
  await settled([first, second], tasks)
  const kept = second.tasks
  await first.leave()
  const left = performance.now()
  await settled([second], tasks)
  assert.ok(performance.now() - left < 5_000, 'sooner than a session')
  assert.ok(kept.every((task) => second.tasks.includes(task)))
  assert.deepEqual(
    second.last.view.members.map(({ memberId }) => memberId),
    ['b']
  )
})

test('five members come and go, and no task ever has two owners', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf(12)
  const all = []
  for (const id of ['a', 'b', 'c', 'd', 'e']) {
    all.push(await members.join(id, parts))
    await settled(all, tasks)
    const counts = all.map((member) => member.tasks.length)
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `shares of ${counts.join(', ')}`)
  }
  while (all.length > 1) {
    await all.shift()?.leave()
    await settled(all, tasks)
  }
})

test('a frozen member is given up, and told so when it goes on', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf()
  const [silent, alive] = [await members.join('a', parts), await members.join('b', parts)]
  await settled([silent, alive], tasks)
  const lost = silent.last
  silent.freeze()
  await settled([alive], tasks)
  silent.thaw()
  await until(() => silent.answers.some(({ isLost }) => isLost), 'it is told of the loss')
  const told = silent.answers.find(({ isLost }) => isLost)
  assert.deepEqual([told?.owned, told?.revoked], [[], []])
  await settled([silent, alive], tasks)
  assert.equal(silent.tasks.length, 2, 'it works again')
  for (const { task, epoch } of silent.last.owned) {
    const before = lost.owned.find((one) => one.task === task)?.epoch ?? 0
    assert.ok(epoch > before, `${task} came back under its old epoch`)
  }
})

test('a commit under way holds up a join, and is not refused for it', limits, async () => {
  await using members = new Members()
  await using session = await sessionOf()
  const group = ownName('members')
  const topic = await session.topic('committing', 2)
  const tasks = tasksOf(topic, 2)
  const parts = { url: broker.url, group, tasks }
  const first = await members.join('a', parts)
  await settled([first], tasks)
  const producer = await first.transport.transactionalProducer(`${group}-a`)
  await first.lease.take(30_000)
  await producer.begin()
  const second = await members.join('b', parts)
  await until(() => first.last.isRejoinDue === true, 'the first is called')
  const { generation } = first
  for (const task of first.tasks) producer.commitOffsets(first.commitOf(task, 5))
  assert.deepEqual((await producer.end()).fenced, [])
  assert.equal(first.generation, generation, 'the join waited')
  const stale = first.last
  first.lease.release()
  await settled([first, second], tasks)
  const [task = ''] = first.tasks
  await first.lease.take(30_000)
  await producer.begin()
  producer.commitOffsets(first.commitOf(task, 6))
  assert.deepEqual((await producer.end()).fenced, [])
  first.lease.release()
  await producer.begin()
  producer.commitOffsets(first.commitOf(task, 7, stale))
  await assert.rejects(producer.end(), (error) => hasCode(error, 'TAILRACE_TRANSPORT_FENCED'))
  await producer.close()
  const [committed] = await session.admin.committed(
    group,
    tasks.filter(({ id }) => id === task).flatMap(({ sources }) => sources)
  )
  assert.equal(committed?.offset, 6)
})

test(
  'whoever takes over ends the transaction that a vanished member left open',
  limits,
  async () => {
    await using members = new Members()
    await using session = await sessionOf()
    const group = ownName('members')
    const topic = await session.topic('left-open', 2)
    const tasks = tasksOf(topic, 2)
    const parts = { url: broker.url, group, tasks }
    const [first, second] = [await members.join('a', parts), await members.join('b', parts)]
    await settled([first, second], tasks)
    // Of another connection: the member itself is gone.
    const zombie = createKafkaTransport({ url: broker.url })
    try {
      await zombie.open()
      const producer = await zombie.transactionalProducer(`${group}-a`)
      await producer.begin()
      const record = { topic, partition: 0, key: null, value: Buffer.from('never'), timestamp: 1 }
      producer.append(tasks[0]?.id ?? '', record)
      await first.vanish()
      await settled([second], tasks)
      await assert.rejects(producer.end(), (error) => hasCode(error, 'TAILRACE_TRANSPORT_FENCED'))
      await producer.close()
    } finally {
      await zombie.close()
    }
    assert.deepEqual(await session.readAll(topic, { partitions: 2 }), [])
  }
)

test('a static member that restarts within its session moves nothing', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf()
  const asStatic = (instanceId: string): MemberParts => ({ ...parts, more: { instanceId } })
  const first = await members.join('a', asStatic('one'))
  const second = await members.join('b', asStatic('two'))
  await settled([first, second], tasks)
  const { generation, tasks: had } = first
  const epochs = first.last.owned
  const answers = second.answers.length
  // Both kinds of end: stopped, and killed.
  await first.leave()
  const again = await members.join('a-again', asStatic('one'))
  await settled([again, second], tasks)
  await again.vanish()
  const third = await members.join('a-third', asStatic('one'))
  await settled([third, second], tasks)
  assert.deepEqual(third.tasks, had)
  assert.deepEqual(byTask(third.last.owned), byTask(epochs))
  assert.equal(third.generation, generation)
  assert.equal(second.answers.length, answers, 'the other noticed nothing')
  const self = third.last.view.members.find(({ memberId }) => memberId === 'a-third')
  assert.deepEqual([...(self?.tasks ?? [])].sort(), had)
})

test('a static member that stopped is taken out by hand', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf()
  const [first, second] = [
    await members.join('a', { ...parts, more: { instanceId: 'one' } }),
    await members.join('b', { ...parts, more: { instanceId: 'two' } })
  ]
  await settled([first, second], tasks)
  await first.leave()
  const coordinator = await second.transport.coordinator()
  assert.equal(await coordinator.evict?.(parts.group, 'nobody'), false)
  assert.equal(second.tasks.length, 2, 'it did not leave by itself')
  assert.equal(await coordinator.evict?.(parts.group, 'one'), true)
  await settled([second], tasks)
})

test('of two workers with one static id the older gives way, and says why', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf()
  const asStatic = { ...parts, more: { instanceId: 'the-same' } }
  const older = await members.join('a', asStatic)
  await settled([older], tasks)
  const newer = await members.join('b', asStatic)
  await settled([newer], tasks)
  await until(() => older.refusal !== undefined, 'the older is refused')
  const { refusal } = older
  assert.ok(hasCode(refusal, 'TAILRACE_TRANSPORT_DUPLICATE_INSTANCE'), String(refusal))
  assert.ok(refusal.message.includes('"the-same"') && refusal.message.includes(parts.group))
  assert.equal(newer.refusal, undefined)
})

test('members of two topologies have only tasks they know', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf()
  const added = tasksOf(`${parts.group}-added`, 2)
  const old = await members.join('a', { ...parts, more: { topologyHash: 'old' } })
  await settled([old], tasks)
  const all = [...tasks, ...added]
  const fresh = await members.join('b', { ...parts, tasks: all, more: { topologyHash: 'new' } })
  await settled([old, fresh], all)
  assert.ok(added.every(({ id }) => fresh.tasks.includes(id)))
  assert.deepEqual([old.tasks.length, fresh.tasks.length], [3, 3])
})

test('the tools of Kafka show members and their partitions', limits, async () => {
  await using members = new Members()
  const { parts, tasks } = sceneOf()
  const pair = [await members.join('a', parts), await members.join('b', parts)]
  await settled(pair, tasks)
  const args = ['--bootstrap-server', broker.servers, '--group', parts.group]
  const tool = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
  const { stdout } = await javaTool(tool, [...args, '--describe', '--members', '--verbose'])
  // Kafka 4 writes `topic:0,1`, and 3.9 `(0,1)`: it knows the topic and leaves it out.
  const { version } = await kafka()
  const pattern = version.startsWith('3.') ? /(?<=\s\()[\d,]+(?=\))/g : /\S+-source:[\d,]+/g
  const topic = version.startsWith('3.') ? '' : `${parts.group}-source:`
  const expected = pair.map((member) => {
    return `${topic}${member.tasks.map((task) => task.at(-1)).join(',')}`
  })
  assert.deepEqual((stdout.match(pattern) ?? []).sort(), expected.sort(), stdout)
})

test('a group that another kind of client uses is refused, and left alone', limits, async () => {
  await using members = new Members()
  await using session = await sessionOf()
  const { parts } = sceneOf()
  const { group } = parts
  const link = await session.cluster.coordinator('group', group, 'group')
  const join = (memberId: string) => {
    const protocols = [{ name: 'range', metadata: Buffer.from('00010000000000000000', 'hex') }]
    return link.call(
      joinGroupV9.api,
      group,
      6_000,
      6_000,
      memberId,
      null,
      'consumer',
      protocols,
      null
    )
  }
  const joined = await join((await join('')).memberId)
  assert.equal(joined.errorCode, 0)
  await assert.rejects(members.join('a', parts), (error) => {
    assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_FOREIGN_GROUP'), String(error))
    assert.ok(error.message.includes(group))
    return true
  })
})

test('commits go on while a join waits for others, and follow the group', limits, async () => {
  await using members = new Members()
  await using session = await sessionOf()
  const group = ownName('members')
  const topic = await session.topic('going-on', 4)
  const tasks = tasksOf(topic, 4)
  const parts = { url: broker.url, group, tasks }
  const [first, slow] = [await members.join('a', parts), await members.join('b', parts)]
  await settled([first, slow], tasks)
  const task = first.tasks.at(-1) ?? ''
  const producer = await first.transport.transactionalProducer(`${group}-a`)
  const commit = async (offset: number, more: Partial<TaskCommit> = {}): Promise<void> => {
    await first.lease.take(30_000)
    await producer.begin()
    producer.commitOffsets({ ...first.commitOf(task, offset), ...more })
    await producer.end().finally(() => first.lease.release())
  }
  first.isReleasing = false
  slow.freeze()
  const { generation, last: before } = first
  const third = await members.join('c', parts)
  await until(() => first.last.isRejoinDue === true, 'the first is called')
  await commit(5)
  assert.deepEqual([first.generation, third.answers.length], [generation, 0], 'nobody waited')
  await until(() => third.answers.length > 0, 'the third is taken in')
  const renewed = async (): Promise<GroupMember | undefined> => first.last.member
  await commit(6, { member: before.member, renewed })
  await assert.rejects(
    commit(7, { member: before.member, renewed: async () => undefined }),
    (error) => hasCode(error, 'TAILRACE_TRANSPORT_FENCED')
  )
  await producer.close()
  const { sources } = tasks.find(({ id }) => id === task) ?? { sources: [] }
  const [committed] = await session.admin.committed(group, sources)
  assert.equal(committed?.offset, 6)
})

async function sessionOf(): Promise<Session & AsyncDisposable> {
  const session = await Session.open(broker)
  return Object.assign(session, { [Symbol.asyncDispose]: () => session.cluster.close() })
}

function byTask(owned: readonly OwnedTask[]): readonly OwnedTask[] {
  return [...owned].sort((a, b) => (a.task < b.task ? -1 : 1))
}
