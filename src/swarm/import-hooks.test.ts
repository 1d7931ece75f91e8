// What is said of a module of hooks that is not there, or throws.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { TailraceError } from '../core/errors.ts'
import { exitCodeOf, exitCodes } from '../host/exit-codes.ts'
import { importHooks } from './import-hooks.ts'

const directory = mkdtempSync(join(tmpdir(), 'tailrace-hooks-'))
test.after(() => rmSync(directory, { recursive: true, force: true }))

async function refused(hooks: string): Promise<TailraceError> {
  const error: unknown = await importHooks(hooks, directory).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof TailraceError, String(error))
  assert.equal(error.code, 'TAILRACE_CONFIG_HOOKS')
  assert.equal(exitCodeOf(error), exitCodes.usage)
  return error
}

test('a module that is not there: the option, and where it was looked for', async () => {
  const { hint, message } = await refused('./no-hooks.js')
  assert.ok(
    message.includes(`swarm.hooks is "./no-hooks.js", and ${join(directory, 'no-hooks.js')}`)
  )
  assert.equal(hint, `Its path is relative to the working directory, ${directory}.`)
})

test('a module that throws: what it said, and the error as the cause', async () => {
  writeFileSync(join(directory, 'throws.mjs'), "throw new Error('the hooks fail\\nhere')")
  const { cause, message } = await refused('throws.mjs')
  assert.match(message, /throws\.mjs cannot be imported: the hooks fail$/)
  assert.ok(cause instanceof Error)
})

test('a module is found seen from the directory', async () => {
  writeFileSync(join(directory, 'hooks.mjs'), "process.emit('tailrace-hooks-imported')")
  let imports = 0
  const count = (): void => {
    imports++
  }
  process.on('tailrace-hooks-imported', count)
  await importHooks('./hooks.mjs', directory)
  process.off('tailrace-hooks-imported', count)
  assert.equal(imports, 1)
})
