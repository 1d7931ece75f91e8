// Reads the source tree for the tests that judge it: files, code without comments, imports.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root: string = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string
  readonly bytes: number
  readonly text: string
}

const ignored = new Set(['node_modules', 'dist', 'coverage', '.git', '.tailrace', '.cache'])
const textEndings = /\.(ts|mts|js|mjs|cjs|json|md|yaml|yml|html|css)$|^LICENSE$|^Makefile$/

/** Every file of the repository that is its own; only text is read. */
export function readTree(base: string = root): SourceFile[] {
  const files: SourceFile[] = []
  const visit = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (ignored.has(entry.name)) continue
      const full = join(directory, entry.name)
      if (entry.isDirectory()) visit(full)
      else if (entry.isFile()) {
        const text = textEndings.test(entry.name) ? readFileSync(full, 'utf8') : ''
        const path = relative(base, full).split(sep).join('/')
        files.push({ path, bytes: statSync(full).size, text })
      }
    }
  }
  visit(base)
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

export function isScript(path: string): boolean {
  return /\.(ts|js|cjs|mjs)$/.test(path)
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts')
}

/** TypeScript of src that ships: no tests. */
export function isShipped(path: string): boolean {
  return path.startsWith('src/') && path.endsWith('.ts') && !isTest(path)
}

type Part = 'code' | 'comment' | 'text'

/**
 * The same text with comments blanked, and with the inside of strings and regular expressions
 * blanked when `texts` is false. Line breaks and columns stay, so line numbers hold.
 */
export function codeOf(source: string, { texts }: { texts: boolean }): string {
  let out = ''
  for (const { part, start, end } of partsOf(source)) {
    const piece = source.slice(start, end)
    const isKept = part === 'code' || (part === 'text' && texts)
    out += isKept ? piece : piece.replace(/[^\n]/g, ' ')
  }
  return out
}

interface Piece {
  readonly part: Part
  readonly start: number
  readonly end: number
}

/** Cuts the source into code, comments and texts; quotes themselves are code. */
function* partsOf(source: string): Generator<Piece> {
  const stack: number[] = []
  let depth = 0
  let codeStart = 0
  let at = 0
  const ends = (part: Part, start: number, end: number): Piece[] => {
    const pieces: Piece[] = [
      { part: 'code', start: codeStart, end: start },
      { part, start, end }
    ]
    codeStart = end
    at = end
    return pieces
  }
  while (at < source.length) {
    const char = source[at]
    if (char === '/' && source[at + 1] === '/') {
      yield* ends('comment', at, indexOrEnd(source, '\n', at))
    } else if (char === '/' && source[at + 1] === '*') {
      yield* ends('comment', at, indexOrEnd(source, '*/', at + 2, 2))
    } else if (char === "'" || char === '"') {
      yield* ends('text', at + 1, quotedEnd(source, at + 1, char))
      at += 1
    } else if (char === '/' && startsRegExp(source, at)) {
      yield* ends('text', at + 1, regExpEnd(source, at + 1))
      at += 1
    } else if (char === '`' || (char === '}' && depth === stack.at(-1))) {
      if (char === '}') {
        stack.pop()
        depth -= 1
      }
      const { end, isOpen } = templateEnd(source, at + 1)
      yield* ends('text', at + 1, end)
      if (isOpen) {
        at += 2
        depth += 1
        stack.push(depth)
      } else at += 1
    } else {
      if (char === '{') depth += 1
      if (char === '}') depth -= 1
      at += 1
    }
  }
  yield { part: 'code', start: codeStart, end: source.length }
}

function indexOrEnd(source: string, needle: string, from: number, length = 0): number {
  const index = source.indexOf(needle, from)
  return index === -1 ? source.length : index + length
}

function quotedEnd(source: string, from: number, quote: string): number {
  let at = from
  while (at < source.length && source[at] !== quote && source[at] !== '\n') {
    at += source[at] === '\\' ? 2 : 1
  }
  return Math.min(at, source.length)
}

function templateEnd(source: string, from: number): { end: number; isOpen: boolean } {
  let at = from
  while (at < source.length && source[at] !== '`') {
    if (source[at] === '$' && source[at + 1] === '{') return { end: at, isOpen: true }
    at += source[at] === '\\' ? 2 : 1
  }
  return { end: Math.min(at, source.length), isOpen: false }
}

/** A slash divides after a value and opens a regular expression after anything else. */
function startsRegExp(source: string, at: number): boolean {
  const before = source.slice(Math.max(0, at - 40), at).trimEnd()
  if (before === '' || /[([{,;=:!&|?+*%<>~^-]$/.test(before)) return true
  return /(?:^|[^\w$.])(?:return|typeof|case|in|of|yield|await|throw)$/.test(before)
}

function regExpEnd(source: string, from: number): number {
  let at = from
  let isInClass = false
  while (at < source.length && source[at] !== '\n') {
    if (source[at] === '[') isInClass = true
    if (source[at] === ']') isInClass = false
    if (source[at] === '/' && !isInClass) return at
    at += source[at] === '\\' ? 2 : 1
  }
  return Math.min(at, source.length)
}

export interface Import {
  /** As written: './event.ts', 'node:fs', 'hono'. */
  readonly specifier: string
  /** Set when the import names a file of the tree. */
  readonly path?: string
  readonly isTypeOnly: boolean
  /** `import()`: read when that line is reached. */
  readonly isLate: boolean
}

const importForms: readonly RegExp[] = [
  /(?<![.\w$])(import|export)(\s+type)?\s+[\w*{$][^;'"()]*?\sfrom\s*(['"])([^'"\n]+)\3/g,
  /(?<![.\w$])(import)()\s*(['"])([^'"\n]+)\3/g,
  /(?<![.\w$])(import)()\s*\(\s*(['"])([^'"\n]+)\3/g
]

/** Every import and re-export of a file, type imports and `import()` counted. */
export function importsOf(file: SourceFile): Import[] {
  const code = codeOf(file.text, { texts: true })
  const found: Import[] = []
  for (const form of importForms) {
    for (const match of code.matchAll(form)) {
      const isTypeOnly = (match[2] ?? '') !== ''
      const isLate = form === importForms.at(-1)
      found.push({ ...asImport(file, match[4] ?? ''), isTypeOnly, isLate })
    }
  }
  return found
}

/** Files started by their URL (`new URL('./keeper.ts', import.meta.url)`), not imported. */
export function startedBy(file: SourceFile): string[] {
  const code = codeOf(file.text, { texts: true })
  const form = /new URL\(\s*(['"`])(\.[^'"`$]+?)(?:\.ts|\.js|\.?\$\{[^}]*\})?\1/g
  return [...code.matchAll(form)].map((match) => `${resolved(file, match[2] ?? '')}.ts`)
}

function asImport(file: SourceFile, specifier: string): Pick<Import, 'specifier' | 'path'> {
  if (!specifier.startsWith('.')) return { specifier }
  return { specifier, path: resolved(file, specifier) }
}

function resolved(file: SourceFile, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(file.path), specifier))
}
