// Bytes lie in the segment files and nothing points to them: the next writer overwrites them.
import { killsAt } from './run.ts'

killsAt('embedded.write.bytes', [1, 12])
