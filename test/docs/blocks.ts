// The ts blocks of a page, made into modules: a fragment imports what it uses of the prelude.
import { readFileSync } from 'node:fs'
import * as prelude from './prelude.ts'

export interface Block {
  readonly page: string
  /** Of its first line of code in the page. */
  readonly line: number
  readonly code: string
  /** Marked by `// program`: a whole program, to be run. */
  readonly isProgram: boolean
}

/** Every block of a page; one that ends nowhere is a mistake in the page. */
export function blocksOf(page: string, path: string): Block[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  const blocks: Block[] = []
  let start: number | undefined
  lines.forEach((line, index) => {
    if (start === undefined) {
      if (/^```ts\b/.test(line)) start = index + 1
    } else if (line.startsWith('```')) {
      const code = lines.slice(start, index).join('\n')
      blocks.push({ page, line: start + 1, code, isProgram: code.startsWith('// program') })
      start = undefined
    }
  })
  if (start !== undefined) throw new Error(`${page}:${start}: a block without an end`)
  return blocks
}

/** Every `@example` of a source file: the code up to the next tag or the end of the comment. */
export function examplesOf(page: string, path: string): Block[] {
  const source = readFileSync(path, 'utf8')
  const form = /^ *\* @example\n((?: *\*(?!\/)(?! @).*\n)+)/gm
  return [...source.matchAll(form)].map((match) => {
    const text = match[1] ?? ''
    const line = source.slice(0, match.index + match[0].indexOf(text)).split('\n').length
    return { page, line, code: text.replaceAll(/^ *\* ?/gm, '').trimEnd(), isProgram: false }
  })
}

/** The block as a module: whole as it is, or with the names of the prelude that it leaves open. */
export function moduleOf({ code, isProgram }: Block): string {
  if (isProgram || /^import .*'tailrace'$/m.test(code)) return `${code}\nexport {}\n`
  const open = Object.keys(prelude).filter((name) => uses(code, name) && !declares(code, name))
  return `import { ${open.join(', ')} } from './prelude.ts'\n${code}\nexport {}\n`
}

/** What the program should print, in this order: its lines `// → …`; `…` stands for anything. */
export function expectedOf({ code }: Block): RegExp[] {
  return [...code.matchAll(/^\s*\/\/ → (.*)$/gm)].map(([, text = '']) => {
    const parts = text.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    return new RegExp(`^${parts.join('.*')}$`)
  })
}

const uses = (code: string, name: string): boolean =>
  new RegExp(String.raw`(?<![\w.'"-])${name}(?![\w'"-])`).test(code)

const declares = (code: string, name: string): boolean =>
  new RegExp(
    String.raw`^(?:export )?(?:const|let|function|class|import) (?:\{.*)?\b${name}\b`,
    'm'
  ).test(code)
