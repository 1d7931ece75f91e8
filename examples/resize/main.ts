// A queue of pictures to make small: jobs without a key, taken by whoever is free, in any order.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createApp, deadLetter, raw, retry } from 'tailrace'
import sharp from 'sharp'
import { z } from 'zod'

export const app = createApp({ id: 'resize', deadLetter: 'resize-dead' })

const Job = z.object({ picture: z.string(), width: z.int().min(1).max(4_096) })
const jobs = app.topic('resize-jobs', { value: Job, partitions: 4 })
const thumbnails = app.topic('thumbnails', { key: z.string(), codec: raw, partitions: 4 })

app.each(
  'resize',
  {
    source: jobs,
    outputs: { thumbnails },
    // Of each partition, while sharp computes on threads of its own.
    concurrency: 4,
    order: 'none',
    timeout: '30s',
    // A picture that is not there may come; one that is none never gets better.
    onError: retry({ times: 2, otherwise: deadLetter() })
  },
  async ({ value: { picture, width } }, { thumbnails }, { signal }) => {
    const bytes = await readFile(picture, { signal })
    const small = await sharp(bytes).resize({ width }).webp().toBuffer()
    thumbnails.send({ key: `${picture}@${width}`, value: small })
    console.log(`${picture} to ${width} pixels: ${small.length} bytes`)
  }
)

// So that there is something to do: three pictures in eight sizes, at each start.
app.task('photographer', { onLeader: true }, async ({ signal }) => {
  await mkdir('pictures', { recursive: true })
  for (const [number, sigma] of [20, 60, 90].entries()) {
    const picture = `pictures/${number + 1}.jpg`
    const noise = { type: 'gaussian', mean: 128, sigma } as const
    const create = { width: 1_600, height: 1_200, channels: 3, background: 'white', noise } as const
    await writeFile(picture, await sharp({ create }).jpeg().toBuffer())
    for (let size = 1; size <= 8 && !signal.aborted; size++) {
      await jobs.send({ value: { picture, width: size * 100 } })
    }
  }
})

if (import.meta.main) await app.main()
