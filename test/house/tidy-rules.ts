// The rules of STYLE.md as functions from the source tree to problems; pure, so they can be tried.
import {
  codeOf,
  importsOf,
  isScript,
  isShipped,
  isTest,
  type SourceFile,
  startedBy
} from './source.ts'

export interface Problem {
  readonly rule: string
  readonly path: string
  readonly line?: number
  readonly text: string
}

export interface Exception {
  readonly rule: string
  /** A file, or a folder when it ends in a slash. */
  readonly path: string
  readonly reason: string
}

export const limits = {
  lineColumns: 100,
  fileLines: 400,
  functionLines: 60,
  fileBytes: 256 * 1024
}

interface Ban {
  readonly rule: string
  readonly word: RegExp
  readonly why: string
  readonly where: (path: string) => boolean
  /** Look at comments too. */
  readonly inComments?: boolean
}

const anywhereInSource = (path: string): boolean => path.startsWith('src/') && isScript(path)
const inTests = (path: string): boolean => isTest(path)
const inCore = (path: string): boolean => path.startsWith('src/core/') && isShipped(path)

const bans: readonly Ban[] = [
  { rule: 'any', word: /\bany\b(?![(])/, why: 'say the type, or `unknown`', where: isShipped },
  {
    rule: 'double-cast',
    word: /\bas\s+unknown\s+as\b/,
    why: 'a double cast hides what the types would say',
    where: isShipped
  },
  {
    rule: 'ts-ignore',
    word: /@ts-(?:ignore|nocheck)/,
    why: 'mend the type',
    where: anywhereInSource,
    inComments: true
  },
  {
    rule: 'todo',
    word: /\b(?:TODO|FIXME|XXX|HACK)\b/,
    why: 'do it, or open an issue',
    where: anywhereInSource,
    inComments: true
  },
  {
    rule: 'console',
    word: /\bconsole\./,
    why: 'only the command line prints',
    where: (path) => isShipped(path) && !path.startsWith('src/cli/')
  },
  {
    rule: 'pure-core',
    word: new RegExp(
      String.raw`\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bprocess\.|\bperformance\b|` +
        String.raw`\b(?:set|clear)(?:Timeout|Interval|Immediate)\b`
    ),
    why: 'core has no clock, no timers, no randomness: they come in as values',
    where: inCore
  },
  {
    rule: 'vague-name',
    word: /\b\w*(?:Manager|Helper|Utils?)\b|\b(?:manager|helper|utils?)s?\b(?=\s*[=:({])/,
    why: 'name what it does',
    where: isShipped
  },
  {
    rule: 'skipped-test',
    word: /\.(?:skip|only|todo)\s*\(|\b(?:skip|only|todo):\s*(?:true|['"`])/,
    why: 'a test runs, always and with all others, or is not there',
    where: inTests
  }
]

/** Every breach of the rules, exceptions not yet taken off. */
export function problemsIn(tree: readonly SourceFile[]): Problem[] {
  return [
    ...tree.flatMap((file) => [
      ...sizeProblems(file),
      ...firstLineProblems(file),
      ...banProblems(file),
      ...nameProblems(file)
    ]),
    ...deadFiles(tree),
    ...changelogProblems(tree),
    ...lockProblems(tree)
  ]
}

/** Problems that no exception covers, and exceptions that cover nothing. */
export function judge(
  tree: readonly SourceFile[],
  exceptions: readonly Exception[]
): { problems: Problem[]; stale: Exception[] } {
  const covers = (exception: Exception, problem: Problem): boolean =>
    exception.rule === problem.rule &&
    (exception.path.endsWith('/')
      ? problem.path.startsWith(exception.path)
      : problem.path === exception.path)
  const found = problemsIn(tree)
  return {
    problems: found.filter((problem) => !exceptions.some((one) => covers(one, problem))),
    stale: exceptions.filter((one) => !found.some((problem) => covers(one, problem)))
  }
}

export function asText(problems: readonly Problem[]): string {
  return problems
    .map(({ rule, path, line, text }) => `${path}${line ? `:${line}` : ''}  ${rule}: ${text}`)
    .join('\n')
}

function sizeProblems({ path, bytes, text }: SourceFile): Problem[] {
  const problems: Problem[] = []
  if (bytes > limits.fileBytes) {
    problems.push({ rule: 'file-bytes', path, text: `${bytes} bytes, at most ${limits.fileBytes}` })
  }
  if (!isScript(path)) return problems
  const lines = text.split('\n')
  if (lines.length - 1 > limits.fileLines) {
    const count = lines.length - 1
    problems.push({ rule: 'file-lines', path, text: `${count} lines, at most ${limits.fileLines}` })
  }
  lines.forEach((line, index) => {
    if (line.length <= limits.lineColumns) return
    const said = `${line.length} columns, at most ${limits.lineColumns}`
    problems.push({ rule: 'line-columns', path, line: index + 1, text: said })
  })
  return isShipped(path) ? [...problems, ...functionProblems(path, text)] : problems
}

const control = /^\s*(?:\}\s*)?(?:if|for|while|switch|catch|do|else|try|class|interface|with)\b/
const functionStart =
  /=>\s*\{$|\bfunction\b.*\{$|^\s*[)}].*\).*\{$|^\s*\).*\{$|^\s*[\w#*[][^=]*\(.*\{$/

/** Formatted code closes a body at the indentation of the line that opened it. */
function functionProblems(path: string, text: string): Problem[] {
  const lines = codeOf(text, { texts: false }).split('\n')
  const problems: Problem[] = []
  lines.forEach((raw, start) => {
    const line = raw.trimEnd()
    if (!functionStart.test(line) || control.test(line)) return
    const indent = line.length - line.trimStart().length
    const end = lines.findIndex(
      (other, index) =>
        index > start && other[indent] === '}' && other.slice(0, indent).trim() === ''
    )
    const length = end - start + 1
    if (end === -1 || length <= limits.functionLines) return
    const said = `a function of ${length} lines, at most ${limits.functionLines}`
    problems.push({ rule: 'function-lines', path, line: start + 1, text: said })
  })
  return problems
}

function firstLineProblems({ path, text }: SourceFile): Problem[] {
  if (!isScript(path)) return []
  const lines = text.split('\n')
  const first = lines[0]?.startsWith('#!') ? lines[1] : lines[0]
  if (first !== undefined && /^(?:\/\/ ?|\/\*\*? ?)\S/.test(first)) return []
  if (first?.trim() === '/**' || first?.trim() === '/*') return []
  const said = 'the first line is a comment that says what this file is for'
  return [{ rule: 'first-line', path, line: 1, text: said }]
}

function banProblems({ path, text }: SourceFile): Problem[] {
  if (!isScript(path)) return []
  const lines = text.split('\n')
  const code = codeOf(text, { texts: false }).split('\n')
  return bans
    .filter((ban) => ban.where(path))
    .flatMap(({ rule, word, why, inComments }) =>
      (inComments ? lines : code).flatMap((line, index) =>
        word.test(line) ? [{ rule, path, line: index + 1, text: `${line.trim()}: ${why}` }] : []
      )
    )
}

function nameProblems({ path }: SourceFile): Problem[] {
  if (!isScript(path) || !/^(?:src|test|examples|bench|scripts)\//.test(path)) return []
  const problems: Problem[] = []
  const name = path.split('/').at(-1) ?? ''
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.tst)?\.(?:ts|js|mjs|cjs)$/.test(name)) {
    problems.push({ rule: 'file-name', path, text: 'kebab-case, named by a noun' })
  }
  if (/(?:^|-)(?:manager|helper|util)s?(?:-|\.)/.test(name)) {
    problems.push({ rule: 'vague-name', path, text: 'name what is in it' })
  }
  return problems
}

/** Shipped files that no entry of the package reaches. */
function deadFiles(tree: readonly SourceFile[]): Problem[] {
  const byPath = new Map(tree.map((file) => [file.path, file]))
  const waiting = entriesOf(byPath.get('package.json')?.text ?? '{}')
  const reached = new Set<string>()
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = byPath.get(path)
    if (file === undefined || reached.has(path)) continue
    reached.add(path)
    for (const { path: target } of importsOf(file)) if (target !== undefined) waiting.push(target)
    waiting.push(...startedBy(file))
  }
  return tree
    .filter(({ path }) => isShipped(path) && !reached.has(path))
    .map(({ path }) => ({ rule: 'dead-file', path, text: 'nothing the package offers leads here' }))
}

function entriesOf(packageJson: string): string[] {
  const sources = packageJson.matchAll(/"tailrace-source":\s*"\.\/([^"]+)"/g)
  return ['src/cli/main.ts', ...[...sources].map((match) => match[1] ?? '')]
}

function changelogProblems(tree: readonly SourceFile[]): Problem[] {
  const changelog = tree.find(({ path }) => path === 'CHANGELOG.md')
  if (changelog !== undefined && /^## \[?Unreleased\]?$/m.test(changelog.text)) return []
  return [{ rule: 'changelog', path: 'CHANGELOG.md', text: 'has a section "## [Unreleased]"' }]
}

/** A lock file that names where it was made would send everybody there. */
function lockProblems(tree: readonly SourceFile[]): Problem[] {
  const lock = tree.find(({ path }) => path === 'package-lock.json')
  const lines = lock?.text.split('\n') ?? []
  return lines.flatMap((line, index) =>
    /"resolved":\s*"[a-z+]+:/.test(line)
      ? [{ rule: 'lock-host', path: 'package-lock.json', line: index + 1, text: line.trim() }]
      : []
  )
}
