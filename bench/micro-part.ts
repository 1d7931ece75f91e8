// One part of the micro-benchmarks, measured in this process alone.
import { measurePart, type PartTask } from './micro.ts'

const figures = await measurePart(JSON.parse(process.argv[2] ?? '{}') as PartTask)
process.send?.(figures)
