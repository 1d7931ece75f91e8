// What the demo does when it is told little: a thousand views a second, or all at full speed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { app } from './main.ts'
import { demoOptions } from './options.ts'

test('without options it sends 1,000 a second, with --events as fast as it goes', () => {
  assert.deepEqual(demoOptions([]), {
    ...{ rate: 1_000, events: undefined, isExit: false, isJson: false, flags: {} }
  })
  assert.equal(demoOptions(['--events', '5']).rate, 0)
  assert.equal(demoOptions(['--events', '5', '--rate', '7']).rate, 7)
  assert.equal(demoOptions(['--rate', '0']).rate, 0)
  const { flags } = demoOptions(['--web-port', '9000', '--datadir', 'here', '--broker', 'memory:'])
  assert.deepEqual(flags, { 'web.port': '9000', datadir: 'here', broker: 'memory:' })
})

test('its pages are on port 8088', (t) => {
  const own = process.env['TAILRACE_WEB_PORT']
  delete process.env['TAILRACE_WEB_PORT']
  t.after(() => {
    if (own !== undefined) process.env['TAILRACE_WEB_PORT'] = own
  })
  assert.deepEqual(app.runner.options().web, { host: '127.0.0.1', port: 8088 })
})
