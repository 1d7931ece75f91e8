// On a Node that cannot run the sources, one sentence says what to do, and nothing else happens.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from './house/source.ts'

interface Outcome {
  readonly code: number
  readonly stderr: string
}

/** Runs a program that believes to be on another Node. */
function runOn(version: string, program: string, ...args: string[]): Promise<Outcome> {
  const belief = `{ value: { ...process.versions, node: '${version}' } }`
  const preload = `data:text/javascript,Object.defineProperty(process, 'versions', ${belief})`
  const all = ['--import', preload, program, ...args]
  return new Promise((resolve) => {
    execFile(process.execPath, all, { cwd: root }, (error, _stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stderr })
    })
  })
}

const unsupported = ['16.20.0', '20.20.2', '22.22.2', '22.9.0', '23.11.0', '24.14.9']
const supported = ['22.22.3', '22.23.0', '24.15.0', '24.21.0', '25.0.0', '26.1.0']

let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailrace-node-version-'))
})

after(() => rm(folder, { recursive: true, force: true }))

test('scripts refuse an unsupported Node before they start', async () => {
  const guard = join(root, 'tools', 'node', 'require.cjs')
  for (const version of unsupported) {
    const { code, stderr } = await runOn(version, guard)
    assert.equal(code, 1, version)
    assert.match(stderr, /^Tailrace needs Node [^\n]*: run `npm [^\n]*, or install [^\n]*\.\n$/)
    assert.ok(stderr.includes(version))
  }
  for (const version of supported) {
    assert.deepEqual(await runOn(version, guard), { code: 0, stderr: '' }, version)
  }
})

test('the cure they name fits how Node 24 came to be absent', async () => {
  const cases = [
    ['scripts did not run', 'node_modules/node', 'npm rebuild node --ignore-scripts=false'],
    ['optional packages left out', 'node_modules/zod', 'npm install --include=optional']
  ] as const
  for (const [name, present, cure] of cases) {
    const clone = join(folder, name)
    await mkdir(join(clone, present), { recursive: true })
    for (const file of ['tools/node/require.cjs', 'bin/tailrace.js', 'tsconfig.build.json']) {
      await cp(join(root, file), join(clone, file.replace(/(bin.*)\.js$/, '$1.mjs')))
    }
    for (const program of ['tools/node/require.cjs', 'bin/tailrace.mjs']) {
      const { stderr } = await runOn('20.20.2', join(clone, program))
      assert.ok(stderr.includes(`: run \`${cure}\``), stderr)
    }
  }
})

test('the command of the installed package says which Node it needs', async () => {
  const program = join(folder, 'bin', 'tailrace.mjs')
  await cp(join(root, 'bin', 'tailrace.js'), program)
  for (const version of unsupported) {
    const { code, stderr } = await runOn(version, program, 'worker')
    assert.equal(code, 64, version)
    assert.match(stderr, /^tailrace needs Node [^\n]*: install Node 24[^\n]*\.\n$/, version)
  }
})

test('in a checkout the command tries the Node of the repository, once', async () => {
  const { code, stderr } = await runOn('20.20.2', join(root, 'bin', 'tailrace.js'), 'worker')
  assert.equal(code, 64)
  assert.equal(stderr.match(/tailrace needs Node/g)?.length, 1)
})
