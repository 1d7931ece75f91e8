// An app whose way into the log comes from outside: the environment, or flags.
import { createApp } from 'tailrace'
import { z } from 'zod'

const id = process.env['SECURED_APP'] ?? 'secured'
export const app = createApp({ id, sessionTimeout: '6s', logLevel: 'debug' })

const counts = app.table('counts', { key: z.string(), value: z.number(), initial: () => 0 })
const source = app.topic(`${id}-in`, { key: z.string(), value: z.number(), partitions: 1 })
app.each('count', { source, tables: { counts } }, ({ key }, { counts }) => {
  if (counts.update(key, (count) => count + 1) === 3) throw new Error('three is too many')
})
app.web.get('/broken/', () => {
  throw new Error('broken on purpose')
})
