// Finding the app that a command means: names, endings, exports, and what can go wrong.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type ErrorCode, hasCode, type TailraceError } from '../core/errors.ts'
import { findApp } from './find-app.ts'

const surface = new URL('../index.ts', import.meta.url).href
const begin = `import { createApp } from ${JSON.stringify(surface)}\n`
const one = (id: string): string => `${begin}export const app = createApp({ id: '${id}' })\n`

function folder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'find-app-'))
  t.after(() => rmSync(directory, { recursive: true }))
  for (const [name, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
  return directory
}

async function refused(
  named: string | undefined,
  directory: string,
  code: ErrorCode
): Promise<TailraceError> {
  const error: unknown = await findApp(named, directory).catch((reason: unknown) => reason)
  assert.ok(hasCode(error, code), String(error))
  return error
}

test('a module is found by its file, without its ending, and by its folder', async (t) => {
  const directory = folder(t, {
    'a.ts': one('a'),
    'b.mts': one('b'),
    'c.js': one('c'),
    'd.mjs': one('d'),
    'e/index.ts': one('e'),
    'f.ts': one('f'),
    'f/index.ts': one('not-f')
  })
  for (const named of ['a', 'b', 'c', 'd', 'e', 'f']) {
    assert.equal((await findApp(named, directory)).runner.id, named)
  }
  assert.equal((await findApp('a.ts', directory)).runner.id, 'a')
  assert.equal((await findApp(join(directory, 'a'), '/')).runner.id, 'a')
  assert.equal((await findApp('./e', directory)).runner.id, 'e')
})

test('file:export chooses; one app under two names is one', async (t) => {
  const two =
    begin +
    `export const first = createApp({ id: 'first' })\n` +
    `export const second = createApp({ id: 'second' })\nexport const other = { runner: 1 }\n`
  const same = `${one('same')}export default app\nexport const port = 80\n`
  const directory = folder(t, { 'two.ts': two, 'same.ts': same })
  assert.equal((await findApp('two.ts:second', directory)).runner.id, 'second')
  assert.equal((await findApp('two:first', directory)).runner.id, 'first')
  assert.equal((await findApp('same', directory)).runner.id, 'same')
  const error = await refused('two', directory, 'TAILRACE_CONFIG_APP_AMBIGUOUS')
  assert.match(error.message, /two\.ts exports 2 apps: first, second/)
  assert.match(error.hint, /-A two:first or -A two:second/)
  const typo = await refused('two:secnd', directory, 'TAILRACE_CONFIG_APP_MISSING')
  assert.match(typo.message, /"secnd" of two\.ts is not exported; did you mean "second"\?/)
  const other = await refused('two:other', directory, 'TAILRACE_CONFIG_APP_MISSING')
  assert.match(other.message, /"other" of two\.ts is no app/)
})

test('no name, no module, no app', async (t) => {
  const directory = folder(t, { 'empty.ts': 'export {}\n', 'none.ts': 'export const a = 1\n' })
  const missing = 'TAILRACE_CONFIG_APP_MISSING'
  assert.match((await refused(undefined, directory, missing)).hint, /TAILRACE_APP=app\.ts/)
  assert.match(
    (await refused('nowhere', directory, missing)).message,
    /no module is at "nowhere"; tried nowhere, nowhere\.ts, .*nowhere\/index\.mjs/
  )
  assert.match((await refused('empty', directory, missing)).message, /it exports nothing/)
  assert.match((await refused('none', directory, missing)).message, /it exports a$/)
})

test('a module that throws is named, with what it threw as the cause', async (t) => {
  const directory = folder(t, {
    'throws.ts': `throw new RangeError('no room')\n`,
    'syntax.ts': 'export const = 1\n',
    'wrong.ts': `${begin}export const app = createApp({ id: 'x', borker: 1 })\n`
  })
  const threw = 'TAILRACE_CONFIG_APP_THREW'
  const error = await refused('throws', directory, threw)
  assert.match(error.message, /throws\.ts threw while it was imported: no room/)
  assert.ok(error.cause instanceof RangeError)
  await refused('syntax', directory, threw)
  const wrong = await refused('wrong', directory, threw)
  assert.ok(hasCode(wrong.cause, 'TAILRACE_CONFIG_INVALID'))
})

test('a module that Node reads as CommonJS is told what its package.json must say', async (t) => {
  const directory = folder(t, {
    'package.json': '{"type":"commonjs"}',
    'imports.ts': one('imports'),
    'exports.js': 'export const app = 1\n'
  })
  for (const named of ['imports', 'exports']) {
    const error = await refused(named, directory, 'TAILRACE_CONFIG_APP_THREW')
    assert.match(error.hint, /`npm pkg set type=module`/)
  }
})

test('an app of another copy of the package is taken, of another version is told', async (t) => {
  const directory = folder(t, {
    'copy.js': `export const app = { runner: { protocol: 1, id: 'copy' } }\n`,
    'older.js': 'export const app = { runner: { protocol: 0 } }\n'
  })
  assert.equal((await findApp('copy', directory)).runner.id, 'copy')
  const error = await refused('older', directory, 'TAILRACE_CONFIG_APP_MISSING')
  assert.match(error.message, /older\.js:app is an app of another version/)
})
