// The log holds a write whose writer died before it learned so.
import { killsAt } from './run.ts'

killsAt('embedded.write.committed', [1, 12])
