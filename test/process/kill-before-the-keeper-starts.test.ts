// A worker killed when it has its connections, and is no member of its group yet.
import { killsAt } from './run.ts'

killsAt('keeper.starting', [1])
