// Problems told together, near names, and names that may become topics and files.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from './errors.ts'
import { nameProblem, nearest, refuseAll } from './problems.ts'

test('no problem is no error; several are one, each with its path and fix', () => {
  refuseAll('TAILRACE_CONFIG_INVALID', 'the app', [])
  assert.throws(
    () =>
      refuseAll('TAILRACE_CONFIG_INVALID', 'the app', [
        { path: 'a', message: 'is wrong', fix: 'Mend it.' },
        { path: 'b', message: 'is missing' }
      ]),
    (error) =>
      hasCode(error, 'TAILRACE_CONFIG_INVALID') &&
      error.message ===
        'TAILRACE_CONFIG_INVALID: the app has 2 problems\n' +
          '  a: is wrong\n    fix: Mend it.\n  b: is missing'
  )
  assert.throws(
    () => refuseAll('TAILRACE_TOPOLOGY_INVALID', 'x', [{ path: 'a', message: 'is wrong' }]),
    /x has one problem\n {2}a: is wrong$/
  )
})

test('the nearest known name is found, and none where none is near', () => {
  const known = ['commitInterval', 'commitTimeout', 'taskIdle', 'web']
  assert.equal(nearest('comitInterval', known), 'commitInterval')
  assert.equal(nearest('COMMITINTERVAL', known), 'commitInterval')
  assert.equal(nearest('wbe', known), 'web')
  assert.equal(nearest('idleTask', known), undefined)
  assert.equal(nearest('x', []), undefined)
})

test('names are what Kafka takes, and never lead out of a folder', () => {
  for (const name of ['a', 'page_views', 'a.b-c_D9', 'x'.repeat(200)]) {
    assert.equal(nameProblem(name), undefined, name)
  }
  for (const name of ['', '.', '..', '../a', 'a/b', 'a b', 'ä', 'a\n', 'x'.repeat(201)]) {
    assert.equal(typeof nameProblem(name), 'string', JSON.stringify(name))
  }
})
