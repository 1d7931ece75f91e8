// The reader that the tidy and architecture tests stand on: what is code, what is imported.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codeOf, importsOf, type SourceFile, startedBy } from './source.ts'

function file(path: string, text: string): SourceFile {
  return { path, text, bytes: text.length }
}

test('comments, texts and regular expressions are no code', () => {
  const cases: readonly (readonly [source: string, code: string])[] = [
    ['a // any\nb', 'a\nb'],
    ['a /* any */ b', 'ab'],
    ["x = 'any'", "x=''"],
    ['x = "it\'s any"', 'x=""'],
    ["x = 'don\\'t any' + y", "x=''+y"],
    ['x = `any ${ y + `any ${z}` } any`', 'x=`${y+`${z}`}`'],
    ['x = `a${ { k: any } }any`', 'x=`${{k:any}}`'],
    ['x = `${a} any ${b} any ${c} any`', 'x=`${a}${b}${c}`'],
    ['function f() { return `${a}any` }', 'functionf(){return`${a}`}'],
    ['x = /any"/.test(y)', 'x=//.test(y)'],
    ['x = /[/"]any/.test(y)', 'x=//.test(y)'],
    ['x = a / any / b', 'x=a/any/b'],
    ['return /any/', 'return//']
  ]
  for (const [source, code] of cases) {
    assert.equal(codeOf(source, { texts: false }).replace(/[ ]/g, ''), code, source)
  }
})

test('lines and columns stay where they are', () => {
  const source = "const a = 'one' // two\nconst b = `x\ny${a}` /* z\n */ + 1\n"
  const code = codeOf(source, { texts: false })
  assert.equal(code.length, source.length)
  assert.deepEqual(
    [...code.matchAll(/\n/g)].map((match) => match.index),
    [...source.matchAll(/\n/g)].map((match) => match.index)
  )
})

test('imports of every form are found, and none in a comment', () => {
  const text = [
    "import type { A } from './a.ts'",
    "import { b, type B } from '../port/b.ts'",
    "import c, * as d from 'hono'",
    "import './effect.ts'",
    "export { e } from './e.ts'",
    "export * from './f.ts'",
    "export type { G } from './g.ts'",
    'import {',
    '  h',
    "} from './h.ts'",
    "const i = await import('./i.ts')",
    "// import { x } from './x.ts'",
    "type J = import('./j.ts').J",
    'export const from = (a: string) => a',
    "log(from('./k.ts'))"
  ].join('\n')
  const found = importsOf(file('src/core/z.ts', text))
  assert.deepEqual(
    new Set(found.map((one) => one.path ?? one.specifier)),
    new Set([
      ...['a', 'effect', 'e', 'f', 'g', 'h', 'i', 'j'].map((name) => `src/core/${name}.ts`),
      'src/port/b.ts',
      'hono'
    ])
  )
  assert.deepEqual(
    found.filter((one) => one.isTypeOnly).map((one) => one.path),
    ['src/core/a.ts', 'src/core/g.ts']
  )
})

test('a thread started by its URL counts as used, whatever its ending', () => {
  const text = [
    "new URL('./keeper.ts', import.meta.url)",
    'new URL(`./wake${extension}`, import.meta.url)'
  ].join('\n')
  assert.deepEqual(startedBy(file('src/runtime/worker.ts', text)), [
    'src/runtime/keeper.ts',
    'src/runtime/wake.ts'
  ])
})
