// The same app whose second agent works on many events at once, each for a time of its own.
import { setTimeout as sleep } from 'node:timers/promises'
import { visitsApp } from './visits.ts'

const concurrency = 16

// Times that have nothing to do with the order: most events are overtaken.
const before = ({ id }: { readonly id: number }): Promise<void> => sleep((id * 7919) % 13)

await visitsApp({ before, concurrency }).app.main()
