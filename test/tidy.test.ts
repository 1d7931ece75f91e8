// The style guide, executed: STYLE.md says the rules in words, this test reads the tree for them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTree, type SourceFile } from './house/source.ts'
import { asText, type Exception, judge, limits, problemsIn } from './house/tidy-rules.ts'

/** The only place where a rule is put aside. An entry that covers nothing fails the test. */
const exceptions: readonly Exception[] = []

test('the source tree keeps the style guide', () => {
  const { problems, stale } = judge(readTree(), exceptions)
  if (problems.length > 0) assert.fail(`\n${asText(problems)}`)
  assert.deepEqual(stale, [], 'these exceptions are no longer needed')
})

test('every exception says why', () => {
  for (const { path, reason } of exceptions) assert.ok(reason.length >= 20, path)
})

const clean = '// What this room is for.\nexport const one = 1\n'

function tree(files: Record<string, string>): SourceFile[] {
  const whole = {
    'package.json': '{ "exports": { ".": { "tailrace-source": "./src/index.ts" } } }',
    'CHANGELOG.md': '# Changelog\n\n## [Unreleased]\n',
    'src/index.ts': '// The surface.\nexport * from "./core/a.ts"\nexport * from "./web/b.ts"\n',
    'src/core/a.ts': clean,
    'src/web/b.ts': clean,
    ...files
  }
  return Object.entries(whole).map(([path, text]) => ({ path, text, bytes: text.length }))
}

function rules(files: Record<string, string>): string[] {
  return problemsIn(tree(files)).map((problem) => problem.rule)
}

test('a clean tree has no problem', () => {
  assert.deepEqual(rules({}), [])
})

const body = (count: number): string => '  step()\n'.repeat(count)
const a = 'src/core/a.ts'
const b = 'src/web/b.ts'

const breaches: readonly (readonly [rule: string, path: string, text: string])[] = [
  ['line-columns', 'test/x.test.ts', `// ${'x'.repeat(limits.lineColumns)}\n`],
  ['file-lines', a, `// Long.\n${'const a = 1\n'.repeat(limits.fileLines)}`],
  ['file-bytes', 'docs/big.bin', 'x'.repeat(limits.fileBytes + 1)],
  ['function-lines', a, `// F.\nexport function f(): void {\n${body(59)}}\n`],
  ['function-lines', a, `// F.\nexport const f = (): void => {\n${body(59)}}\n`],
  [
    'function-lines',
    a,
    `// F.\nexport class A {\n  async b(c: D): Promise<E> {\n${body(59)}  }\n}\n`
  ],
  ['function-lines', a, `// F.\nexport function f(\n  a: A\n): { b: B } {\n${body(59)}}\n`],
  ['function-lines', a, `// F.\nexport class A {\n  constructor() {\n${body(59)}  }\n}\n`],
  ['function-lines', a, `// F.\nexport class A {\n  *[Symbol.iterator]() {\n${body(59)}  }\n}\n`],
  ['any', a, `${clean}export const two: any = 2\n`],
  ['any', b, `${clean}export const two = [] as any[]\n`],
  ['double-cast', a, `${clean}export const two = one as unknown as string\n`],
  ['ts-ignore', a, `${clean}// @ts-ignore\n`],
  ['ts-ignore', 'src/core/a.test.ts', `${clean}// @ts-nocheck\n`],
  ['todo', a, `${clean}// TODO later\n`],
  ['todo', b, `${clean}// FIXME: odd\n`],
  ['console', b, `${clean}console.log(one)\n`],
  ['pure-core', a, `${clean}export const now = Date.now()\n`],
  ['pure-core', a, `${clean}export const dice = Math.random()\n`],
  ['pure-core', a, `${clean}setTimeout(() => {}, 1)\n`],
  ['pure-core', a, `${clean}setInterval(() => {}, 1)\n`],
  ['pure-core', a, `${clean}export const at = performance.now()\n`],
  ['pure-core', a, `${clean}export const me = process.pid\n`],
  ['vague-name', a, `${clean}export class TableManager {}\n`],
  ['vague-name', a, `${clean}export class TestHelper {}\n`],
  ['vague-name', a, `${clean}export const StringUtils = {}\n`],
  ['file-name', 'test/fooBar.ts', clean],
  ['vague-name', 'test/string-utils.ts', clean],
  ['first-line', 'test/x.ts', 'export const one = 1\n'],
  ['first-line', 'bin/x.js', '#!/usr/bin/env node\nexport const one = 1\n'],
  ['dead-file', 'src/core/c.ts', clean],
  ['lock-host', 'package-lock.json', '{\n  "resolved": "https://packages.example/hono.tgz"\n}\n'],
  ['changelog', 'CHANGELOG.md', '# Changelog\n\n## 0.1.0\n'],
  ['skipped-test', 'test/x.test.ts', `${clean}test.skip('x', () => {})\n`],
  ['skipped-test', 'test/x.test.ts', `${clean}test.only('x', () => {})\n`],
  ['skipped-test', 'test/x.test.ts', `${clean}test('x', { skip: true }, () => {})\n`],
  ['skipped-test', 'test/x.test.ts', `${clean}test('x', { todo: 'later' }, () => {})\n`]
]

test('each rule finds its breach, and nothing else does', () => {
  for (const [rule, path, text] of breaches) {
    assert.deepEqual(rules({ [path]: text }), [rule], `${rule} in ${text.slice(0, 120)}`)
  }
})

const allowed: readonly (readonly [path: string, text: string])[] = [
  [a, `// F.\nexport function f(): void {\n${body(58)}}\n`],
  [a, `// F.\nexport class A {\n${'  b = 1\n'.repeat(100)}}\n`],
  [a, `// any TypeManager, console.log and Date.now in words\nexport const one = 'any Util'\n`],
  ['src/cli/main.ts', `${clean}console.log(one)\n`],
  [b, `${clean}export const now = Date.now()\n`],
  ['src/core/a.test.ts', `${clean}const two = one as any\nsetTimeout(two, 1)\n`],
  [a, `${clean}export const all = [1].some(Boolean) && company.any1\n`]
]

test('what only looks like a breach is left alone', () => {
  for (const [path, text] of allowed) assert.deepEqual(rules({ [path]: text }), [], text)
})

test('an exception covers one rule in one place, and a stale one is told', () => {
  const broken = tree({ [a]: `${clean}export const two: any = 2\n` })
  const reason = 'only to try exceptions'
  const fitting: Exception = { rule: 'any', path: a, reason }
  assert.deepEqual(judge(broken, [fitting]), { problems: [], stale: [] })
  assert.deepEqual(judge(broken, [{ rule: 'any', path: 'src/core/', reason }]).problems, [])
  assert.equal(judge(broken, [{ rule: 'any', path: b, reason }]).problems.length, 1)
  assert.deepEqual(judge(tree({}), [fitting]).stale, [fitting])
})
