// The Makefile: its targets are there, make can read them, and they call commands that exist.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './house/source.ts'

const commands: Readonly<Record<string, readonly string[]>> = {
  'run-dev': [
    'docker compose up --detach --wait',
    'npm install',
    'TAILRACE_BROKER=kafka://localhost:9092 npm run demo'
  ],
  'native-run': ['npm install', 'npm run demo'],
  test: ['npm install', 'npm test'],
  down: ['docker compose down --volumes']
}

const text = readFileSync(join(root, 'Makefile'), 'utf8')

// Under `make test` this would be a make within a make, which says where it is.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^MAKE|^MFLAGS$/.test(name))
)

/** Lines below `target:`, as they stand in the file. */
function recipeOf(target: string): string[] {
  const [, recipe = ''] = new RegExp(`^${target}:\\n((?:\\t.*\\n)+)`, 'm').exec(text) ?? []
  return recipe
    .trimEnd()
    .split('\n')
    .map((line) => line.trim())
}

for (const [target, expected] of Object.entries(commands)) {
  test(`make ${target}`, { timeout: 60_000 }, () => {
    assert.deepEqual(recipeOf(target), expected)
    const dryRun = spawnSync('make', ['-n', target], { cwd: root, env, encoding: 'utf8' })
    // Where there is no make, reading the file was the test.
    if (dryRun.error !== undefined) return
    assert.equal(dryRun.status, 0, dryRun.stderr)
    assert.deepEqual(dryRun.stdout.trimEnd().split('\n'), expected)
  })
}

test('make alone starts the demo', () => {
  assert.match(text, /^\.DEFAULT_GOAL := native-run$/m)
})

test('every npm command of it is a script', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  const named = [...text.matchAll(/^\tnpm (?:run )?([\w:]+)$/gm)].map(([, name = '']) => name)
  const missing = named.filter((name) => name !== 'install' && scripts[name] === undefined)
  assert.deepEqual(missing, [])
})
