// Tests of reading a Kafka URL: what it names, what is wrong with it, and what is never quoted.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBrokerUrl } from './broker-url.ts'

function read(url: string) {
  const found = parseBrokerUrl(url)
  assert.ok('brokers' in found, JSON.stringify(found))
  return found
}

function problemsOf(url: string): string {
  const found = parseBrokerUrl(url)
  assert.ok(!('brokers' in found), `${url} was taken`)
  return found.map(({ message, fix }) => `${message} ${fix}`).join('\n')
}

test('addresses, with 9092 where no port is named', () => {
  assert.deepEqual(read('kafka://a').brokers, [{ host: 'a', port: 9092 }])
  assert.deepEqual(read('kafka://a:1,b.example,[::1]:3/').brokers, [
    { host: 'a', port: 1 },
    { host: 'b.example', port: 9092 },
    { host: '::1', port: 3 }
  ])
  assert.equal(read('kafka://a,[fe80::1]').shown, 'kafka://a:9092,[fe80::1]:9092')
})

test('a login is decoded, and not shown', () => {
  const { username, password, shown } = read('kafka://me:p%40ss:word%2F@a:1,b')
  assert.deepEqual([username, password, shown], ['me', 'p@ss:word/', 'kafka://a:1,b:9092'])
  assert.equal(read('kafka://me@a').password, undefined)
})

test('what is no address is said', () => {
  assert.match(problemsOf('kafka://'), /names no address: ""/)
  assert.match(problemsOf('kafka://a:0'), /names no address: "a:0"/)
  assert.match(problemsOf('kafka://a:70000,b'), /names no address: "a:70000"/)
  assert.match(problemsOf('kafka://a,,b'), /names no address: ""/)
  assert.match(problemsOf('kafka://::1'), /names no address: "::1"/)
  assert.match(problemsOf('kafka://a/topic'), /more than addresses/)
  assert.match(problemsOf('kafka://a?tls=true'), /TAILRACE_TLS_/)
})

test('nothing of a login that cannot be read is quoted', () => {
  for (const url of ['kafka://me:hidden/x@a', 'kafka://me:hidden%zz@a', 'kafka://me:hid?den@a']) {
    const text = problemsOf(url)
    assert.match(text, /login that cannot be read/)
    assert.doesNotMatch(text, /hid/)
  }
})
