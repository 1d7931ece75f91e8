// Whether a table holds what the fold of its input makes.
import type { Program } from './programs.ts'

/** The first few differences; windows that start before `keptFrom` are left out. */
export async function problemsOf(
  { rows }: Program,
  expected: ReadonlyMap<number, ReadonlyMap<string, number>>,
  keptFrom: number
): Promise<string[]> {
  const problems: string[] = []
  let rowsSeen = 0
  for await (const [page, { start, value }] of rows()) {
    if (start < keptFrom) continue
    rowsSeen++
    const views = expected.get(start)?.get(page)
    if (views !== value && problems.length < 5) {
      problems.push(`${page} at ${start}: the table holds ${value}, the input ${views}`)
    }
  }
  const rowsExpected = [...expected.values()].reduce((sum, pages) => sum + pages.size, 0)
  if (rowsSeen !== rowsExpected) {
    problems.push(`the table holds ${rowsSeen} rows, the input makes ${rowsExpected}`)
  }
  return problems
}
