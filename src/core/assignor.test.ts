// Properties of the assignment: complete, exclusive, balanced, sticky, the same in any order.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Assignment, AssignorMember } from './assignor.ts'
import { areRivals, assign } from './assignor.ts'
import { grantable } from './grants.ts'
import type { TaskSpec } from './task-spec.ts'

function task(subTopology: string, partition: number, topics = [subTopology]): TaskSpec {
  const sources = topics.map((topic) => ({ topic, partition }))
  return { id: `${subTopology}/${partition}`, subTopology, partition, sources }
}

function tasksOf(sizes: readonly number[]): TaskSpec[] {
  return sizes.flatMap((size, index) =>
    Array.from({ length: size }, (_, p) => task(`s${index}`, p))
  )
}

interface Known {
  readonly owned?: readonly string[]
  readonly hash?: string
}

function member(id: string, tasks: readonly TaskSpec[], known: Known = {}): AssignorMember {
  const knownTasks = new Set(tasks.map((one) => one.id))
  return { id, topologyHash: known.hash ?? 'h', knownTasks, owned: known.owned ?? [] }
}

/** The members with what an assignment gave them; new ones own nothing. */
function settled(
  ids: readonly string[],
  tasks: readonly TaskSpec[],
  before?: Assignment
): AssignorMember[] {
  return ids.map((id) => member(id, tasks, { owned: before?.get(id)?.active ?? [] }))
}

function ownersOf(assignment: Assignment): Map<string, string> {
  const owners = new Map<string, string>()
  for (const [id, { active }] of assignment) {
    for (const name of active) {
      assert.equal(owners.has(name), false, `${name} has two owners`)
      owners.set(name, id)
    }
  }
  return owners
}

function spread(counts: readonly number[]): number {
  return counts.length === 0 ? 0 : Math.max(...counts) - Math.min(...counts)
}

function countsOf(assignment: Assignment, prefix = ''): number[] {
  return [...assignment.values()].map(
    ({ active }) => active.filter((name) => name.startsWith(prefix)).length
  )
}

const anySizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 })
const anyCount = fc.integer({ min: 1, max: 9 })
const idsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`)

test('a fresh group: every task once, balanced over all and in each sub-topology', () => {
  fc.assert(
    fc.property(anySizes, anyCount, (sizes, count) => {
      const tasks = tasksOf(sizes)
      const assignment = assign(settled(idsOf(count), tasks), tasks)
      assert.equal(ownersOf(assignment).size, tasks.length)
      assert.ok(spread(countsOf(assignment)) <= 1)
      for (const index of sizes.keys()) assert.ok(spread(countsOf(assignment, `s${index}/`)) <= 1)
    })
  )
})

test('whatever was owned: every task once, balanced, and no more moved than balance needs', () => {
  const scene = fc.tuple(anySizes, anyCount, fc.infiniteStream(fc.nat(10)))
  fc.assert(
    fc.property(scene, ([sizes, count, picks]) => {
      const tasks = tasksOf(sizes)
      const ids = idsOf(count)
      const owned = new Map<string, string[]>(ids.map((id) => [id, []]))
      for (const { id } of tasks) owned.get(`m${picks.next().value}`)?.push(id)
      const members = ids.map((id) => member(id, tasks, { owned: owned.get(id) ?? [] }))
      const assignment = assign(members, tasks)
      assert.equal(ownersOf(assignment).size, tasks.length)
      assert.ok(spread(countsOf(assignment)) <= 1)

      const sizesBefore = [...owned.values()].map((had) => had.length).sort((a, b) => b - a)
      const ceilings = tasks.length % count
      const quotas = sizesBefore.map(
        (_, i) => Math.floor(tasks.length / count) + (i < ceilings ? 1 : 0)
      )
      const mustMove = sizesBefore.reduce((sum, had, i) => sum + Math.max(0, had - quotas[i]!), 0)
      const kept = members.flatMap(({ id, owned: had }) =>
        had.filter((name) => assignment.get(id)?.active.includes(name))
      )
      assert.equal(sizesBefore.reduce((a, b) => a + b, 0) - kept.length, mustMove)
    })
  )
})

test('what is settled stays: assigning again changes nothing, in any order of input', () => {
  fc.assert(
    fc.property(anySizes, anyCount, (sizes, count) => {
      const tasks = tasksOf(sizes)
      const first = assign(settled(idsOf(count), tasks), tasks)
      const again = assign(settled(idsOf(count).reverse(), tasks, first), [...tasks].reverse())
      assert.deepEqual(again, first)
    })
  )
})

test('a member that joins gets its share and nothing else moves', () => {
  fc.assert(
    fc.property(anySizes, anyCount, (sizes, count) => {
      const tasks = tasksOf(sizes)
      const before = assign(settled(idsOf(count), tasks), tasks)
      const after = assign(settled(idsOf(count + 1), tasks, before), tasks)
      const owners = ownersOf(before)
      const moved = [...ownersOf(after)].filter(([name, id]) => owners.get(name) !== id)
      assert.ok(moved.every(([, id]) => id === `m${count}`))
      assert.equal(moved.length, Math.floor(tasks.length / (count + 1)))
    })
  )
})

test('when a member leaves, only its tasks move', () => {
  fc.assert(
    fc.property(anySizes, fc.integer({ min: 2, max: 9 }), fc.nat(8), (sizes, count, which) => {
      const tasks = tasksOf(sizes)
      const before = assign(settled(idsOf(count), tasks), tasks)
      const gone = `m${which % count}`
      const left = idsOf(count).filter((id) => id !== gone)
      const owners = ownersOf(assign(settled(left, tasks, before), tasks))
      assert.equal(owners.size, tasks.length)
      for (const [name, id] of ownersOf(before)) if (id !== gone) assert.equal(owners.get(name), id)
    })
  )
})

test('moves take from the sub-topology that is most uneven', () => {
  const tasks = tasksOf([4, 4])
  const all = tasks.map((one) => one.id)
  const assignment = assign([member('a', tasks, { owned: all }), member('b', tasks)], tasks)
  assert.deepEqual(countsOf(assignment, 's0/'), [2, 2])
  assert.deepEqual(countsOf(assignment, 's1/'), [2, 2])
})

test('a claim of two is decided for the first, and an unknown task is nobody’s', () => {
  const tasks = tasksOf([2])
  const owned = ['s0/0', 'gone/7']
  const both = [member('a', tasks, { owned }), member('b', tasks, { owned })]
  assert.deepEqual(assign(both, tasks).get('a')?.active, ['s0/0'])
  assert.deepEqual(assign(both, [...tasks, task('alien', 0)]).get('b')?.active, ['s0/1'])
  assert.deepEqual(assign([], tasks), new Map())
})

test('an additive topology gives new tasks only to members that know them', () => {
  const shared = tasksOf([4])
  const added = [task('new', 0), task('new', 1)]
  const old = member('a', shared, { hash: 'old', owned: shared.map((one) => one.id) })
  const fresh = member('b', [...shared, ...added], { hash: 'new' })
  const assignment = assign([old, fresh], [...shared, ...added])
  assert.equal(ownersOf(assignment).size, 6)
  assert.ok(['new/0', 'new/1'].every((name) => assignment.get('b')?.active.includes(name)))
  assert.equal(assignment.get('a')?.active.length, 3)
})

test('a merged grouping waits until no member knows the old one', () => {
  const apart = [task('a', 0), task('a', 1), task('b', 0), task('b', 1)]
  const merged = [task('a+b', 0, ['a', 'b']), task('a+b', 1, ['a', 'b'])]
  const all = [...merged, ...apart]
  const old = member('m1', apart, { hash: 'z-old', owned: ['a/0', 'b/0'] })
  const fresh = member('m2', merged, { hash: 'new' })
  const during = assign([old, fresh], all)
  assert.deepEqual(during.get('m1')?.active, ['a/0', 'a/1', 'b/0', 'b/1'])
  assert.deepEqual(during.get('m2')?.active, [])
  const after = assign([fresh, member('m3', merged, { hash: 'new' })], all)
  assert.deepEqual([...ownersOf(after).keys()].sort(), ['a+b/0', 'a+b/1'])
})

test('two tasks that share a source are never both assigned, whoever knows what', () => {
  const topics = ['a', 'b', 'c']
  const anyTopics = fc.subarray(topics, { minLength: 1 })
  const anyTask = fc.tuple(anyTopics, fc.nat(2)).map(([ts, p]) => task(ts.join('+'), p, ts))
  const anyTasks = fc.uniqueArray(anyTask, { selector: (one) => one.id, minLength: 1 })
  const anyHash = fc.constantFrom('x', 'y', 'z')
  const anyMember = fc.record({
    hash: anyHash,
    knows: fc.func(fc.boolean()),
    owns: fc.func(fc.boolean())
  })
  fc.assert(
    fc.property(anyTasks, fc.array(anyMember, { minLength: 1, maxLength: 5 }), (tasks, drawn) => {
      const members = drawn.map(({ hash, knows, owns }, index) => {
        const known = tasks.filter((one) => knows(one.id, hash))
        const owned = known.filter((one) => owns(one.id)).map((one) => one.id)
        return member(`m${index}`, known, { hash, owned })
      })
      const owners = ownersOf(assign(members, tasks))
      const live = tasks.filter((one) => owners.has(one.id))
      for (const one of live) {
        assert.ok(members.find((m) => m.id === owners.get(one.id))?.knownTasks.has(one.id))
        assert.ok(live.every((other) => other === one || !areRivals(one, other)))
      }
      for (const one of tasks) {
        const isKnown = members.some((m) => m.knownTasks.has(one.id))
        const isBlocked = live.some((other) => areRivals(one, other))
        assert.ok(!isKnown || isBlocked, `${one.id} could be assigned and is not`)
      }
    })
  )
})

test('a large group is assigned in reasonable time', () => {
  const tasks = tasksOf([1_024, 1_024])
  const first = assign(settled(idsOf(256), tasks), tasks)
  const after = assign(settled(idsOf(257), tasks, first), tasks)
  assert.equal(after.get('m256')?.active.length, 7)
})

test('tasks that write one changelog are rivals, whatever they read', () => {
  const changelogs = [{ topic: 'app-t-changelog', partition: 0 }]
  const old = { ...task('a+t', 0, ['a']), changelogs }
  const mended = { ...task('b+t', 0, ['b']), changelogs }
  const members = [
    member('m1', [old], { owned: [old.id], hash: 'old' }),
    member('m2', [mended], { hash: 'new' })
  ]
  assert.deepEqual([...ownersOf(assign(members, [mended, old]))], [[old.id, 'm1']])
  assert.deepEqual(grantable([mended], [old]), [])
  assert.deepEqual(grantable([mended], []), [mended])
})
