// A web page of another origin, and a name made to lead here, command nothing and read nothing.
import assert from 'node:assert/strict'
import { embeddedScene } from '../process/run.ts'
import { ControlledSwarm } from './controlled.ts'

embeddedScene('what browsers send for pages of others', async (one) => {
  const swarm = await ControlledSwarm.ready(one, { nodes: 1 })
  const before = await swarm.pids()
  const ours = `127.0.0.1:${swarm.port}`
  const cases: readonly Readonly<Record<string, string>>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: `http://evil.example:${swarm.port}`, host: `evil.example:${swarm.port}` },
    { host: 'evil.example' }
  ]
  for (const headers of cases) {
    for (const path of ['/stop', '/quiet', '/roll', '/restart/0', '/dump']) {
      const { status, text } = await swarm.ask('POST', path, headers)
      assert.equal(status, 403, `${path} ${JSON.stringify(headers)}`)
      assert.match(text, /"error":"the request (?:comes from a web page|is for the host)/)
    }
  }
  const read = await swarm.ask('GET', '/status', { host: 'evil.example' })
  assert.equal(read.status, 403)
  assert.doesNotMatch(read.text, /nodes/)
  const now = await swarm.status()
  assert.equal(now.state, 'running')
  assert.equal(now.roll, undefined)
  assert.deepEqual(await swarm.pids(), before)
  const page = await swarm.ask('GET', '/')
  assert.match(page.text, /^<!doctype html>/)
  const same = { origin: `http://${ours}`, host: ours, 'sec-fetch-site': 'same-origin' }
  assert.equal((await swarm.ask('POST', '/stop', same)).status, 202)
  await swarm.process.ends({ code: 0 })
})
