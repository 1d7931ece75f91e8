// The log holds the commit and the store does not: the store catches up from its checkpoint.
import { killsAt } from './run.ts'

killsAt('commit.ended', [1, 12])
