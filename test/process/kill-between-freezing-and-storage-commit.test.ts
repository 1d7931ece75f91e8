// Values were encoded for a commit and nothing of them is in the log.
import { killsAt } from './run.ts'

killsAt('commit.frozen', [1, 12])
