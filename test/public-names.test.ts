// Whatever a user can import says what it is: an editor shows that, and nobody opens a page first.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { readTree, root } from './house/source.ts'

const sources = new Map(readTree().map(({ path, text }) => [path, text]))

/** Files behind the package's exports, by name. */
function doors(): Map<string, string> {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  }
  const found = Object.entries(exports).flatMap(([name, target]): [string, string][] =>
    typeof target === 'string' ? [] : [[name, (target['tailrace-source'] ?? '').slice(2)]]
  )
  return new Map(found)
}

interface Declared {
  readonly name: string
  readonly path: string
}

/** Every name that a file offers, with the file that declares it. */
function namesOf(path: string): Declared[] {
  const text = sources.get(path) ?? assert.fail(`${path} is not there`)
  const own = [...text.matchAll(declarations)].map(([, name = '']) => ({ name, path }))
  const passed = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '(\.[^']*)'/gm)]
  return [
    ...own,
    ...passed.flatMap(([, names = '', from = '']) =>
      names
        .split(',')
        .map((name) => name.trim().replace(/^type /, ''))
        .filter((name) => name !== '')
        .flatMap((name) => declaredAs(name, join(dirname(path), from)))
    )
  ]
}

/** Follows a name through files that only pass it on. */
function declaredAs(name: string, path: string): Declared[] {
  const found = namesOf(path).filter((one) => one.name === name)
  assert.ok(found.length > 0, `${path} does not offer ${name}`)
  return found
}

const declarations =
  /^export (?:abstract )?(?:class|interface|type|const|function|async function) (\w+)/gm

/** True when a comment for users ends right above the declaration. */
function isDescribed({ name, path }: Declared): boolean {
  const kinds = 'class|interface|type|const|(?:async )?function'
  const form = new RegExp(`\\*/\\nexport (?:abstract )?(?:${kinds}) ${name}\\b`)
  return form.test(sources.get(path) ?? '')
}

for (const [name, path] of doors()) {
  test(`every name of tailrace${name.slice(1)} says what it is`, () => {
    const names = namesOf(path)
    assert.ok(names.length > 0)
    const silent = names.filter((one) => !isDescribed(one))
    assert.deepEqual(
      silent.map((one) => `${one.path}: ${one.name}`),
      []
    )
  })
}

test('every option says what it is', () => {
  const silent = [...doors().values()].flatMap(namesOf).flatMap(({ name, path }) => {
    if (!/(?:Options|Uses|Conformance)$/.test(name)) return []
    const form = new RegExp(`^export interface ${name}\\b[^]*?^\\}`, 'm')
    const [body = ''] = form.exec(sources.get(path) ?? '') ?? []
    const members = [...body.matchAll(/(\*\/)?\n {2}(?:readonly )?(\w+)\??[:(]/g)]
    return members
      .filter(([, comment]) => comment === undefined)
      .map(([, , member]) => `${path}: ${name}.${member}`)
  })
  assert.deepEqual([...new Set(silent)], [])
})
