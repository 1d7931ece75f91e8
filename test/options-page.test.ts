// The page of options is what the table says now.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { optionsPage, optionsPagePath } from '../scripts/options-page.ts'
import { environmentName, isTextual, optionTable } from '../src/host/option-table.ts'
import { defaultSettings } from '../src/runtime/settings.ts'

test('the page is what the table says now (npm run docs)', () => {
  assert.equal(readFileSync(optionsPagePath, 'utf8'), optionsPage())
})

test('every setting of a worker has its option, and none is named twice', () => {
  const settings = optionTable.flatMap(({ setting }) => setting ?? [])
  assert.deepEqual(settings.toSorted(), Object.keys(defaultSettings).toSorted())
  const paths = optionTable.map(({ path }) => path)
  assert.equal(new Set(paths).size, paths.length)
  const names = optionTable.filter(isTextual).map(({ path }) => environmentName(path))
  assert.equal(new Set(names).size, names.length)
})
