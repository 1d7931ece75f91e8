// Topologies: what shares a task, what is cut apart, what is refused, and how many partitions.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { json, string } from './codec.ts'
import type { AgentDeclaration, TableDeclaration, TopicDeclaration } from './declarations.ts'
import { AppDeclaration, type AgentParts } from './declare.ts'
import type { TopicOptions } from './declare-options.ts'
import { declarationOf, type Stream, streamHandle } from './stream.ts'
import { buildTopology, outputTopicsOf, type Topology } from './topology.ts'
import { topologyProblems } from './topology-check.ts'
import { leaderTask, planPartitions, taskSpecs, topologyHash } from './topology-partitions.ts'

const settings = { codec: undefined, deadLetter: undefined, onError: undefined }
const body = {
  kind: 'each',
  run: () => undefined,
  timeoutMs: undefined,
  concurrency: 1,
  order: 'key'
} as const

class Scene {
  readonly app = new AppDeclaration({ id: 'app', ...settings })

  topic(name: string, options: TopicOptions = {}): TopicDeclaration {
    return this.app.topic(name, options)
  }

  stream(topic: TopicDeclaration): Stream<string, number> {
    const shape = { kind: 'topic', name: topic.name, declaration: topic } as const
    return streamHandle(declarationOf(shape), this.app)
  }

  table(name: string, initial: () => unknown = () => 0): TableDeclaration {
    return this.app.table(name, { key: z.string(), value: z.number(), initial })
  }

  agent(
    name: string,
    source: TopicDeclaration | Stream<never, never> | Stream<string, number>,
    parts: Partial<AgentParts> = {}
  ): AgentDeclaration {
    const from = source as TopicDeclaration | Stream<string, number>
    const declaration = 'declaration' in from ? from.declaration : this.stream(from).declaration
    const none = { tables: {}, reads: {}, outputs: {}, onError: undefined, help: undefined }
    return this.app.agent(name, { ...none, ...parts, source: declaration }, body).agent
  }

  topology(): Topology {
    return buildTopology(this.app.declarations())
  }

  names(): string[] {
    return this.topology().subTopologies.map((sub) => sub.name)
  }

  problems(): string[] {
    return topologyProblems(this.topology()).map(({ message, path }) => `${path}: ${message}`)
  }
}

test('agents of one source topic share a task, those of another do not', () => {
  const scene = new Scene()
  const a = scene.topic('a')
  scene.agent('one', a)
  scene.agent(
    'two',
    scene.stream(a).filter(() => true)
  )
  scene.agent('three', scene.topic('b'))
  assert.deepEqual(scene.names(), ['a', 'b'])
  const [first] = scene.topology().subTopologies
  assert.deepEqual(
    first?.processors.map((one) => one.name),
    ['one', 'two']
  )
})

test('a table connects its writer and its readers; a merge connects its topics', () => {
  const scene = new Scene()
  const counts = scene.table('counts')
  scene.agent('write', scene.topic('a'), { tables: { counts } })
  scene.agent('read', scene.topic('b'), { reads: { other: counts } })
  const [c, d] = [scene.topic('c'), scene.topic('d')]
  scene.agent('merge', scene.stream(c).merge(scene.stream(d)))
  assert.deepEqual(scene.names(), ['a+b+counts', 'c+d'])
})

test('connections reach through others', () => {
  const scene = new Scene()
  const [a, b, c] = [scene.topic('a'), scene.topic('b'), scene.topic('c')]
  const table = scene.table('t')
  scene.agent('one', scene.stream(a).merge(scene.stream(b)))
  scene.agent('two', c, { tables: { table } })
  assert.deepEqual(scene.names(), ['a+b', 'c+t'])
  scene.agent('three', b, { reads: { table } })
  assert.deepEqual(scene.names(), ['a+b+c+t'])
})

test('an output does not connect: it is read by another task', () => {
  const scene = new Scene()
  const [a, b] = [scene.topic('a'), scene.topic('b')]
  scene.agent('one', a, { outputs: { b } })
  scene.agent('two', b)
  assert.deepEqual(scene.names(), ['a', 'b'])
  const [processor] = scene.topology().subTopologies[0]?.processors ?? []
  assert.ok(processor)
  assert.deepEqual(
    outputTopicsOf(processor).map((topic) => topic.name),
    ['b']
  )
})

test('a groupBy cuts, and its writing side runs where its source is read', () => {
  const scene = new Scene()
  const a = scene.topic('a')
  scene.agent(
    'count',
    scene.stream(a).groupBy('by-x', () => 'x')
  )
  scene.agent('other', a)
  const [group, direct] = scene.topology().subTopologies
  assert.deepEqual(scene.names(), ['a', 'app-by-x-repartition'])
  assert.deepEqual(
    group?.processors.map((one) => `${one.kind} ${one.name}`),
    ['group by-x', 'agent other']
  )
  assert.deepEqual(
    direct?.processors.map((one) => one.name),
    ['count']
  )
})

test('a group that no agent reads does not run', () => {
  const scene = new Scene()
  scene.stream(scene.topic('a')).groupBy('by-x', () => 'x')
  assert.deepEqual(scene.names(), [])
})

test('the names of tasks do not depend on the order of declaration', () => {
  const [forth, back] = [new Scene(), new Scene()]
  for (const name of ['a', 'b']) forth.agent(name, forth.topic(name))
  for (const name of ['b', 'a']) back.agent(name, back.topic(name))
  const hashes = [forth, back].map((scene) => {
    const topology = scene.topology()
    return topologyHash(taskSpecs(topology, planPartitions(topology, new Map())))
  })
  assert.equal(hashes[0], hashes[1])
  back.agent('c', back.topic('c'))
  const topology = back.topology()
  const changed = topologyHash(taskSpecs(topology, planPartitions(topology, new Map())))
  assert.notEqual(changed, hashes[0])
  assert.match(changed, /^[0-9a-f]{16}$/)
})

test('a sound topology has no problem', () => {
  const scene = new Scene()
  const table = scene.table('t')
  scene.agent('one', scene.topic('a', { partitions: 2 }), { tables: { table } })
  scene.agent('two', scene.topic('b', { partitions: 2 }), { reads: { table } })
  assert.deepEqual(scene.problems(), [])
})

test('names declared twice are told, a changelog that is a topic too', () => {
  const scene = new Scene()
  const a = scene.topic('a')
  scene.topic('a')
  scene.topic('app-t-changelog')
  const table = scene.table('t')
  scene.table('t')
  scene.agent('one', a, { tables: { table } })
  scene.agent('one', a)
  const timer = { name: 'x', onLeader: false, run: () => undefined }
  scene.app.timer({ ...timer, everyMs: 1, immediate: false })
  scene.app.task(timer)
  assert.deepEqual(scene.problems(), [
    'topic "a": is declared twice',
    'topic "app-t-changelog": is declared twice',
    'table "t": is declared twice',
    'agent or group "one": is declared twice',
    'timer or task "x": is declared twice'
  ])
})

test('one writer for each table, and a reader needs one', () => {
  const scene = new Scene()
  const [shared, orphan, both] = [scene.table('shared'), scene.table('orphan'), scene.table('both')]
  const a = scene.topic('a')
  scene.agent('one', a, { tables: { shared, both }, reads: { again: both } })
  scene.agent('two', a, { tables: { shared }, reads: { orphan } })
  assert.deepEqual(scene.problems(), [
    'table "shared": is written by the agents "one" and "two"',
    'table "orphan": is read by agent "two" and written by none',
    'table "both": is named under tables and under reads of agent "one"'
  ])
})

test('a part has one name', () => {
  const scene = new Scene()
  const [counts, other] = [scene.table('counts'), scene.table('other')]
  const a = scene.topic('a')
  scene.agent('one', a, { tables: { counts, other }, outputs: { counts: scene.topic('counts') } })
  assert.deepEqual(scene.problems(), [
    'agent "one": "counts" is named both under tables and under outputs'
  ])
})

test('topics that share tasks need equal counts, where they are declared', () => {
  const scene = new Scene()
  const table = scene.table('t')
  scene.agent('one', scene.topic('a', { partitions: 2 }), { tables: { table } })
  scene.agent('two', scene.topic('b', { partitions: 4 }), { reads: { table } })
  assert.deepEqual(scene.problems(), [
    'agents "one", "two": share tasks, so their topics need equal partition counts: ' +
      '"a" has 2, "b" has 4'
  ])
})

test('an inbox that no agent reads is told; one that is read takes its name', () => {
  const scene = new Scene()
  scene.app.inbox({})
  const inbox = scene.app.inbox({})
  scene.agent('say', inbox)
  assert.deepEqual(scene.problems(), ['inbox: is read by no agent'])
  assert.deepEqual(scene.names(), ['app-say'])
  assert.throws(() => scene.agent('again', inbox), /already "app-say"; an inbox has one agent/)
})

test('what a schema takes must be what its codec writes, where the schema tells', () => {
  const scene = new Scene()
  const a = scene.topic('numbers', { key: z.number(), value: z.string(), codec: string as never })
  scene.topic('texts', { key: z.string(), value: z.number() })
  scene.topic('fitting', { key: z.number(), keyCodec: json })
  scene.agent('one', a)
  assert.deepEqual(scene.problems(), [
    'topic "numbers": the key schema takes number, and the codec "string" writes only text'
  ])
})

test('an initial value must be one that can be kept and read back', () => {
  const scene = new Scene()
  const names = ['text', 'later', 'throws', 'date'] as const
  const initials = {
    text: () => 'x',
    later: async () => 0,
    throws: () => {
      throw new Error('no')
    },
    date: () => new Date(0)
  }
  const wide = z.union([z.number(), z.date()])
  const tables = names.map((name) =>
    scene.app.table(name, {
      key: z.string(),
      value: name === 'date' ? wide : z.number(),
      initial: initials[name]
    })
  )
  scene.agent('one', scene.topic('a'), { tables: Object.fromEntries(tables.entries()) })
  const [text, later, throws, date] = scene.problems()
  assert.match(text ?? '', /table "text": the initial value cannot be kept: TAILRACE_SCHEMA_INV/)
  assert.match(later ?? '', /table "later": `initial` returns a promise/)
  assert.match(throws ?? '', /table "throws": the initial value cannot be kept: no/)
  assert.match(date ?? '', /table "date": the initial value/)
})

test('counts: what exists, else what is declared, else what feeds it, else eight', () => {
  const scene = new Scene()
  const [a, b, c] = [scene.topic('a', { partitions: 3 }), scene.topic('b'), scene.topic('c')]
  scene.agent(
    'one',
    scene.stream(a).groupBy('by-a', () => 'x')
  )
  scene.agent('two', b)
  scene.agent('three', c)
  scene.topic('sent-only', { partitions: 5 })
  const plan = planPartitions(scene.topology(), new Map([['c', 12]]))
  assert.deepEqual(plan.problems, [])
  assert.deepEqual(Object.fromEntries(plan.byTopic), {
    a: 3,
    'app-by-a-repartition': 3,
    b: 8,
    c: 12,
    'sent-only': 5
  })
  assert.equal(plan.bySubTopology.get('app-by-a-repartition'), 3)
})

test('a topic without a count takes that of the others of its task', () => {
  const scene = new Scene()
  const [a, b] = [scene.topic('a'), scene.topic('b', { partitions: 6 })]
  scene.agent('one', scene.stream(a).merge(scene.stream(b)))
  const plan = planPartitions(scene.topology(), new Map())
  assert.equal(plan.byTopic.get('a'), 6)
  assert.deepEqual(plan.problems, [])
})

test('what exists and contradicts is told', () => {
  const scene = new Scene()
  const a = scene.topic('a', { partitions: 4 })
  const b = scene.topic('b')
  scene.agent('one', scene.stream(a).merge(scene.stream(b)))
  const existing = new Map([
    ['a', 2],
    ['b', 3]
  ])
  const { problems } = planPartitions(scene.topology(), existing)
  assert.deepEqual(
    problems.map(({ message, path }) => `${path}: ${message}`),
    [
      'topic "a": has 2 partitions; its task needs 3, as its other topics have',
      'topic "a": is declared with 4 partitions and has 2'
    ]
  )
})

test('a circle of groups ends at eight', () => {
  const scene = new Scene()
  const a = scene.topic('a')
  const first = scene.stream(a).groupBy('g', () => 'x')
  const second = first.groupBy('h', () => 'y')
  scene.agent('one', first.merge(second))
  const plan = planPartitions(scene.topology(), new Map())
  assert.deepEqual([...new Set(plan.byTopic.values())], [8])
})

test('tasks: one for each partition, with the sources they read, and the leader', () => {
  const scene = new Scene()
  const table = scene.table('t')
  scene.agent('one', scene.topic('a', { partitions: 2 }), { tables: { table } })
  const topology = scene.topology()
  const specs = taskSpecs(topology, planPartitions(topology, new Map()))
  assert.deepEqual(
    specs.map((task) => [task.id, task.sources, task.changelogs]),
    [
      ['a+t/0', [{ topic: 'a', partition: 0 }], [{ topic: 'app-t-changelog', partition: 0 }]],
      ['a+t/1', [{ topic: 'a', partition: 1 }], [{ topic: 'app-t-changelog', partition: 1 }]],
      [leaderTask.id, [], undefined]
    ]
  )
})
