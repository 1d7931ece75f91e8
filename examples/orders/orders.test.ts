// The orders example: another terminal orders too, and a worker started again goes on counting.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onEachLog } from '../logs.ts'
import { emptyFolder, Program } from '../program.ts'

const counted = /^(\w+) ordered \w+: order (\d+)$/
const main = 'npx tailrace -A examples/orders/main.ts'

/** What a worker printed, by account. */
function countsOf({ lines }: Program): Map<string, number[]> {
  const counts = new Map<string, number[]>()
  for (const line of lines) {
    const [, account = '', count] = counted.exec(line) ?? []
    if (account !== '') counts.set(account, [...(counts.get(account) ?? []), Number(count)])
  }
  return counts
}

const title = 'each account is counted on, from 1, across a stop and a start'

onEachLog(title, { timeout: 180_000 }, async (t, environment) => {
  const folder = await emptyFolder(t)
  const begin = (args: string): Program =>
    new Program(t, { command: `${main} ${args}`, folder, environment })
  const first = begin('worker')
  const url = await first.url()
  const order = '{"accountId":"dan","product":"jam","amount":2}'
  const sent = begin(`send orders ${order}`)
  assert.deepEqual(await sent.exited, { code: 0, signal: null }, sent.lines.join('\n'))
  await first.line(/^dan ordered jam: order 1$/)
  const answer = await fetch(`${url}/orders/dan`)
  assert.deepEqual(await answer.json(), { account: 'dan', orders: 1 })
  await first.line(/^cyd ordered tea: order 2$/)
  assert.deepEqual(await first.end('SIGTERM'), { code: 0, signal: null })

  const second = begin('worker')
  await second.url()
  const last = (account: string): number => countsOf(first).get(account)?.at(-1) ?? 0
  for (const account of ['ann', 'bob', 'cyd']) {
    await second.line(new RegExp(`^${account} ordered tea: order ${last(account) + 2}$`))
  }
  assert.deepEqual(await second.end('SIGTERM'), { code: 0, signal: null })
  for (const account of ['ann', 'bob', 'cyd', 'dan']) {
    const all = [first, second].flatMap((one) => countsOf(one).get(account) ?? [])
    const expected = Array.from({ length: all.length }, (_, index) => index + 1)
    assert.deepEqual(all, expected, `the orders of ${account}`)
  }
})

test('an order that lacks something is refused where it is sent', {
  timeout: 60_000
}, async (t) => {
  const folder = await emptyFolder(t)
  const command = `${main} send orders {"accountId":"dan","product":"jam","amount":-2}`
  const sent = new Program(t, { command, folder })
  assert.equal((await sent.exited).code, 1)
  assert.match(sent.lines.join('\n'), /TAILRACE_SCHEMA_INVALID: the value .* amount/)
})
