// What a page shows of a terminal: commands with what they print, and what differs from run to run.

export interface Said {
  readonly command: string
  readonly output: readonly string[]
}

/** Every `$ command` of the console blocks, with the lines below it. */
export function sessionOf(text: string): Said[] {
  const blocks = [...text.matchAll(/^```console\n([^]*?)^```$/gm)].map(([, inside = '']) => inside)
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...output] = part.trimEnd().split('\n')
        return { command, output }
      })
  )
}

/** What differs from run to run: times, process ids, ports, offsets, where the folder is. */
export function settled(line: string): string {
  return line
    .replace(/^\[\d\d:\d\d:\d\d\.\d{3}\]/, '[time]')
    .replace(/\bpid \d+/, 'pid N')
    .replace(/127\.0\.0\.1:\d+/, '127.0.0.1:PORT')
    .replace(/kafka:\/\/\S+/, 'kafka://HOST')
    .replace(/( in |embedded:)\/.*\/\.tailrace\//, '$1/folder/.tailrace/')
    .replace(/\boffset \d+/, 'offset N')
    .replaceAll(/\b\d{13}\b/g, 'TIME')
}
