// What users install: packed, installed into an empty folder, imported and type-checked there.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from './house/source.ts'
import { meetStranger, run, type Stranger } from './packaging/package.ts'

const tool = (name: string): string => join(root, 'node_modules', '.bin', name)

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
}

let stranger: Stranger
let subpaths: string[]

before(
  async () => {
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
    subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'))
    stranger = await meetStranger()
    await writeFile(join(stranger.app, 'package.json'), '{ "private": true, "type": "module" }')
    await stranger.install('zod@4', '@types/node@24')
  },
  { timeout: 300_000 }
)

after(() => stranger.remove())

test('the tarball holds what users need and nothing else', () => {
  const paths = stranger.packed.files.map((file) => file.path)
  const unexpected = paths.filter(
    (path) =>
      !/^(?:bin|dist|src)\/|^(?:package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(path) ||
      /\.test\.|(?:^|\/)\.|\.tsbuildinfo$/.test(path)
  )
  assert.deepEqual(unexpected, [])
  for (const path of ['LICENSE', 'README.md', 'CHANGELOG.md', 'bin/tailrace.js']) {
    assert.ok(paths.includes(path), path)
  }
  const sources = paths.filter((path) => /^src\/.*\.ts$/.test(path))
  assert.ok(sources.length > 0)
  for (const source of sources) {
    const built = source.replace(/^src\//, 'dist/').replace(/\.ts$/, '')
    for (const ending of ['.js', '.d.ts', '.d.ts.map']) {
      assert.ok(paths.includes(built + ending), `${built}${ending} is missing`)
    }
  }
})

test('publint finds nothing', async () => {
  await run(root, tool('publint'), 'run', stranger.tarball, '--strict')
})

test('the types are right for every way of importing an ESM package', async () => {
  const options = ['--profile', 'esm-only', '--no-color', '--no-emoji']
  await run(root, tool('attw'), stranger.tarball, ...options)
})

test('each export can be imported', async () => {
  for (const subpath of subpaths) {
    const name = `tailrace${subpath.slice(1)}`
    const code = `console.log(JSON.stringify(Object.keys(await import('${name}'))))`
    const said = await run(stranger.app, process.execPath, '--input-type=module', '-e', code)
    const names: unknown = JSON.parse(said)
    assert.notDeepEqual(names, [], `${name} exports nothing`)
  }
})

test('what is not exported cannot be reached', async () => {
  const code =
    "import('tailrace/dist/index.js').then(() => process.exit(3), (e) => console.log(e.code))"
  const said = await run(stranger.app, process.execPath, '-e', code)
  assert.equal(said.trim(), 'ERR_PACKAGE_PATH_NOT_EXPORTED')
})

test('the types of each export resolve where it is installed', async () => {
  const lines = subpaths.map(
    (subpath, index) => `export * as part${index} from 'tailrace${subpath.slice(1)}'`
  )
  await writeFile(join(stranger.app, 'all.ts'), `${lines.join('\n')}\n`)
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    module: 'nodenext',
    target: 'es2023',
    lib: ['esnext'],
    types: ['node'],
    skipLibCheck: false
  }
  const config = { compilerOptions, files: ['all.ts'] }
  await writeFile(join(stranger.app, 'tsconfig.json'), JSON.stringify(config))
  await run(stranger.app, tool('tsc'), '-p', '.')
})
