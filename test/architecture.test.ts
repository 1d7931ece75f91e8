// The house stands as DESIGN.md draws it: imports go left, neighbours stay apart, no circles.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dependencyBreaches, importCycles, layerBreaches } from './house/layers.ts'
import { importsOf, readTree, type SourceFile } from './house/source.ts'

const repository = readTree()

test('imports go from right to left', () => {
  const breaches = layerBreaches(repository)
  if (breaches.length > 0) assert.fail(`\n${breaches.join('\n')}`)
})

test('no file imports itself through others, type imports counted', () => {
  const cycles = importCycles(repository)
  if (cycles.length > 0) assert.fail(`\n${cycles.map((one) => one.join(' <-> ')).join('\n')}`)
})

test('every dependency has a layer that uses it', () => {
  const manifest = repository.find(({ path }) => path === 'package.json')?.text ?? '{}'
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> }
  assert.deepEqual(dependencyBreaches(Object.keys(dependencies)), [])
  assert.deepEqual(dependencyBreaches([...Object.keys(dependencies), 'left-pad']), [
    'left-pad has no layer'
  ])
  assert.equal(dependencyBreaches([]).length, Object.keys(dependencies).length)
})

/** What a process that starts with these files has read before it does anything. */
function heldBy(starts: readonly string[]): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>()
  const packages = new Set<string>()
  const open = [...starts]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const file = repository.find((one) => one.path === path)
    if (files.has(path) || file === undefined) continue
    files.add(path)
    for (const one of importsOf(file)) {
      if (one.isTypeOnly || one.isLate) continue
      if (one.path !== undefined) open.push(one.path)
      else if (!one.specifier.startsWith('node:')) packages.add(one.specifier)
    }
  }
  return { files, packages }
}

test('a supervisor holds little: one package, and none of the rooms that a worker needs', () => {
  const { files, packages } = heldBy(['src/cli/main.ts', 'src/swarm/run-swarm.ts'])
  assert.deepEqual([...packages], ['commander'])
  const rooms = [...files].filter((path) => /^src\/(?:store|transport|web|testing)\//.test(path))
  assert.deepEqual(rooms, [])
  assert.ok(files.size < 40, `${files.size} files:\n${[...files].join('\n')}`)
  assert.ok(heldBy(['src/cli/worker.ts']).files.size < 40, 'the app comes with itself')
  assert.ok(heldBy(['src/index.ts']).packages.has('hono'), 'a worker holds more')
})

function one(path: string, ...specifiers: string[]): SourceFile {
  const text = specifiers.map((specifier) => `import '${specifier}'`).join('\n')
  return { path, text, bytes: text.length }
}

const refused: readonly (readonly [path: string, specifier: string])[] = [
  ['src/core/a.ts', '../port/b.ts'],
  ['src/core/a.ts', '../runtime/b.ts'],
  ['src/port/a.ts', '../transport/memory/b.ts'],
  ['src/runtime/a.ts', '../store/b.ts'],
  ['src/runtime/a.ts', '../host/b.ts'],
  ['src/transport/memory/a.ts', '../../store/b.ts'],
  ['src/transport/memory/a.ts', '../embedded/b.ts'],
  ['src/web/a.ts', '../transport/b.ts'],
  ['src/conformance/a.ts', '../transport/memory/b.ts'],
  ['src/host/a.ts', '../testing/b.ts'],
  ['src/host/a.ts', '../cli/b.ts'],
  ['src/testing/a.ts', '../cli/b.ts'],
  ['src/host/a.ts', '../index.ts'],
  ['src/host/a.ts', '../../test/house/source.ts'],
  ['src/core/a.ts', './b.test.ts'],
  ['src/cellar/a.ts', '../core/b.ts'],
  ['src/index.ts', './cli/main.ts'],
  ['src/core/a.ts', 'node:fs'],
  ['src/port/a.ts', 'node:stream'],
  ['src/core/a.ts', 'hono'],
  ['src/core/a.ts', '@standard-schema/spec'],
  ['src/runtime/a.ts', 'classic-level'],
  ['src/host/a.ts', 'lodash'],
  ['src/host/a.ts', 'tailrace/testing']
]

test('each import against the layers is refused', () => {
  for (const [path, specifier] of refused) {
    assert.equal(layerBreaches([one(path, specifier)]).length, 1, `${path} -> ${specifier}`)
  }
})

const allowed: readonly (readonly [path: string, specifier: string])[] = [
  ['src/core/a.ts', './b.ts'],
  ['src/core/a.ts', 'secure-json-parse'],
  ['src/port/a.ts', '../core/b.ts'],
  ['src/runtime/a.ts', 'node:fs/promises'],
  ['src/transport/embedded/a.ts', '../../port/transport.ts'],
  ['src/transport/embedded/a.ts', '../shared.ts'],
  ['src/transport/embedded/deep/a.ts', '../b.ts'],
  ['src/web/a.ts', 'hono/streaming'],
  ['src/host/a.ts', '../transport/embedded/b.ts'],
  ['src/testing/a.ts', '../host/b.ts'],
  ['src/cli/a.ts', '../testing/b.ts'],
  ['src/index.ts', './host/app.ts'],
  ['src/core/a.test.ts', '../transport/memory/b.ts']
]

test('each import along the layers is allowed', () => {
  for (const [path, specifier] of allowed) {
    assert.deepEqual(layerBreaches([one(path, specifier)]), [])
  }
  const types = "import type { StandardSchemaV1 } from '@standard-schema/spec'"
  assert.deepEqual(layerBreaches([{ path: 'src/core/a.ts', text: types, bytes: 1 }]), [])
})

test('circles are found, however long, and a line is none', () => {
  const circle = [
    one('src/core/a.ts', './b.ts'),
    one('src/core/b.ts', './c.ts', './d.ts'),
    { ...one('src/core/c.ts'), text: "import type { A } from './a.ts'" },
    one('src/core/d.ts'),
    one('src/core/e.ts', './e.ts'),
    one('src/core/f.ts', './a.ts')
  ]
  assert.deepEqual(importCycles(circle), [
    ['src/core/a.ts', 'src/core/b.ts', 'src/core/c.ts'],
    ['src/core/e.ts']
  ])
  assert.deepEqual(importCycles(circle.slice(3, 4)), [])
})
