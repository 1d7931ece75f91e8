// The same in plain JavaScript: no types and no build.
import { createApp } from 'tailrace'
import { z } from 'zod'

export const app = createApp({ id: 'plain-javascript' })

const lines = app.topic('lines', { value: z.string() })
const words = app.table('words', { key: z.string(), value: z.int(), initial: () => 0 })
const byFirstWord = app.stream(lines).groupBy('by-first-word', (line) => line.value.split(' ')[0])

app.each('count-words', { source: byFirstWord, tables: { words } }, (line, { words }) => {
  console.log(`${line.key}: ${words.update(line.key, (count) => count + 1)}`)
})

app.task('poem', { onLeader: true }, async () => {
  for (const line of ['so much depends', 'so on', 'upon a wheel']) {
    await lines.send({ value: line })
  }
})

app.web.get('/words', async (c) => c.json(Object.fromEntries(await Array.fromAsync(words.scan()))))

if (import.meta.main) await app.main()
