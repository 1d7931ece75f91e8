// A worker killed in front of its agent: the event was decoded, and nothing came of it.
import { killsAt } from './run.ts'

killsAt('event.open', [1, 700])
