// A kill point that no test reaches proves nothing.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { failpoints } from '../../src/port/failpoint.ts'

test('each label of the kill points is killed at by a test of this folder', () => {
  const texts = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
  const reached = Object.keys(failpoints).filter((label) =>
    texts.some((text) => text.includes(`killsAt('${label}'`) || text.includes(`\`${label}:`))
  )
  assert.deepEqual(reached, Object.keys(failpoints))
})
