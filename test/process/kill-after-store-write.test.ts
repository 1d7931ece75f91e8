// The store holds the commit, and nobody was told.
import { killsAt } from './run.ts'

killsAt('commit.stored', [1, 12])
