// Writes docs/errors.md from the catalogue: the page quotes the source, never the reverse.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CatalogueEntry, catalogue } from '../src/core/errors.ts'

const entries: Readonly<Record<string, CatalogueEntry>> = catalogue

const actors: Readonly<Record<string, string>> = {
  AGENT: 'the developer, at run time',
  BUG: 'us: please report it',
  CONFIG: 'the developer, before anything starts',
  SCHEMA: 'whoever sends the data',
  STATE: 'the operator: the local store and its disk',
  SWARM: 'the operator: a node of a swarm',
  TABLE: 'the developer, at run time',
  TOPOLOGY: 'the developer, before anything starts',
  TRANSPORT: 'the operator: the log',
  WEB: 'the operator: the web server'
}

/** AGENT of TAILRACE_AGENT_ENDED. */
export function familyOf(code: string): string {
  return code.split('_')[1] ?? ''
}

export function errorsPage(): string {
  const families = Map.groupBy(Object.entries(entries), ([code]) => familyOf(code))
  const sections = [...families].map(([family, codes]) => {
    const rows = codes.map(
      ([code, { meaning, fix }]) => `### ${code}\n\n${meaning}\n\n**Fix:** ${fix}`
    )
    return `## ${family}\n\nWho can act: ${actors[family] ?? ''}.\n\n${rows.join('\n\n')}`
  })
  return `${head}\n\n${sections.join('\n\n')}\n`
}

/** Families of the catalogue that the page cannot say who acts on. */
export function familiesWithoutActor(): string[] {
  return Object.keys(entries)
    .map(familyOf)
    .filter((family) => actors[family] === undefined)
}

const head = `<!-- Written by \`npm run docs\` from src/core/errors.ts: change it there. -->

# Errors

Every error Tailrace throws is a \`TailraceError\` with a \`code\` of this page, a message that says
what happened, where, and what was expected, and a \`hint\` that says what to do. Codes are stable;
messages may change.`

export const pagePath: string = join(import.meta.dirname, '..', 'docs', 'errors.md')

if (import.meta.main) {
  mkdirSync(join(pagePath, '..'), { recursive: true })
  writeFileSync(pagePath, errorsPage())
}
