// Catalogue, source and page of errors agree, each with each, in both directions.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { errorsPage, familiesWithoutActor, familyOf, pagePath } from '../scripts/errors-page.ts'
import { type CatalogueEntry, catalogue } from '../src/core/errors.ts'
import { environmentName, optionTable } from '../src/host/option-table.ts'
import { codeOf, isShipped, readTree, type SourceFile } from './house/source.ts'

const entries: Readonly<Record<string, CatalogueEntry>> = catalogue
const codes = Object.keys(entries)
const repository = readTree()

/** Quoted codes where an error is made; asking for a code or naming its entry makes none. */
function madeIn(files: readonly SourceFile[]): Set<string> {
  const asking = /hasCode\([^)]*\)|[!=]==?\s*'TAILRACE_\w+'|case\s+'TAILRACE_\w+'/g
  return new Set(
    files
      .filter(({ path }) => isShipped(path))
      .map(({ text }) => codeOf(text, { texts: true }).replace(asking, ''))
      .flatMap((code) => [...code.matchAll(/'(TAILRACE_\w+)'/g)].map((match) => match[1] ?? ''))
  )
}

/** Words that look like a code of the catalogue; environment names are none. */
function namedIn(files: readonly SourceFile[]): Set<string> {
  const families = [...new Set(codes.map(familyOf))].join('|')
  const form = new RegExp(`\\bTAILRACE_(?:${families})_[A-Z_]*[A-Z]\\b`, 'g')
  const options = new Set(optionTable.map(({ path }) => environmentName(path)))
  const words = files.flatMap(({ text }) => [...text.matchAll(form)].map((match) => match[0]))
  return new Set(words.filter((word) => !options.has(word)))
}

function missing(wanted: Iterable<string>, from: ReadonlySet<string>): string[] {
  return [...wanted].filter((code) => !from.has(code)).toSorted()
}

test('each code of the catalogue is made somewhere', () => {
  assert.deepEqual(missing(codes, madeIn(repository)), [])
})

test('each code that source, examples or docs name is in the catalogue', () => {
  const files = repository.filter(
    ({ path }) => /^(?:src|examples|docs|README|DESIGN)/.test(path) && !path.endsWith('.test.ts')
  )
  assert.deepEqual(missing(namedIn(files), new Set(codes)), [])
})

test('the page is what the catalogue says now (npm run docs)', () => {
  assert.equal(readFileSync(pagePath, 'utf8'), errorsPage())
  const headings = [...errorsPage().matchAll(/^### (\S+)$/gm)].map((match) => match[1] ?? '')
  assert.deepEqual(headings.toSorted(), codes.toSorted())
  assert.deepEqual(familiesWithoutActor(), [])
})

test('each entry is sorted, is a sentence and says what to do', () => {
  assert.deepEqual(codes, codes.toSorted())
  for (const [code, { meaning, fix }] of Object.entries(entries)) {
    assert.match(code, /^TAILRACE_[A-Z]+_[A-Z_]+$/)
    assert.match(meaning, /^[A-Z].{10,}\.$/, code)
    assert.match(fix, /^[A-Z`].{10,}[.]$/, code)
  }
})

test('a code that is only asked for counts as never made', () => {
  const text = "// x\nif (hasCode(error, 'TAILRACE_A_B') || error.code === 'TAILRACE_A_C') stop()\n"
  assert.deepEqual(madeIn([{ path: 'src/a.ts', text, bytes: 1 }]), new Set())
  const made = "// x\nthrow new TailraceError('TAILRACE_A_B', 'no')\n"
  assert.deepEqual(madeIn([{ path: 'src/a.ts', text: made, bytes: 1 }]), new Set(['TAILRACE_A_B']))
})
