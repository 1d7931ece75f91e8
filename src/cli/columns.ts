// Rows of text in columns that line up.

/** Each column as wide as its widest cell; the head is the first row. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length)
    })
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd((widths[index] ?? 0) + 2))
        .join('')
        .trimEnd()
    )
    .join('\n')
}
