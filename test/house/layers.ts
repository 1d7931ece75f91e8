// The layers of the house as functions from the tree to breaches; pure, so they can be tried.
import { type Import, importsOf, isShipped, isTest, type SourceFile } from './source.ts'

/** Left of another means: may be imported by it. One row stands in braces: no neighbours. */
const layers: readonly (readonly string[])[] = [
  ['core'],
  ['port'],
  ['runtime'],
  ['transport', 'store', 'web', 'otel', 'conformance'],
  ['host'],
  ['swarm', 'testing'],
  ['cli']
]

/** Who may import what from outside; a package nobody is named for is refused. */
const packages: Readonly<Record<string, readonly string[]>> = {
  '@hono/node-server': ['web'],
  '@platformatic/kafka': ['transport'],
  '@standard-schema/spec': ['core'],
  // Nobody imports it: the types of the Kafka library do, and bring none of their own.
  '@types/debug': [],
  'classic-level': ['store'],
  commander: ['cli'],
  hono: ['web', 'host'],
  pino: ['runtime', 'host'],
  'pino-pretty': ['runtime', 'host'],
  'secure-json-parse': ['core']
}

/** Layers that know nothing of Node: what they need comes in as values. */
const pure: readonly string[] = ['core', 'port']

const typesOnly: readonly string[] = ['@standard-schema/spec']

/** Every import that goes against the layers, as a sentence. */
export function layerBreaches(tree: readonly SourceFile[]): string[] {
  return tree
    .filter(({ path }) => isShipped(path))
    .flatMap((file) =>
      importsOf(file).flatMap((one) => {
        const breach = one.path === undefined ? outside(file, one) : inside(file, one.path)
        return breach === undefined ? [] : [`${file.path} imports ${one.specifier}: ${breach}`]
      })
    )
}

function inside(file: SourceFile, target: string): string | undefined {
  if (!target.startsWith('src/')) return 'it is outside src'
  if (isTest(target)) return 'a test is nobody’s part'
  if (target === 'src/index.ts') return 'the surface is for users; import the file that has it'
  const from = roomOf(file.path)
  const to = roomOf(target)
  if (to === '') return 'only rooms stand in src, and the surface'
  if (from === '') return rankOf(to) > rankOf('host') ? 'the surface ends at host' : undefined
  if (rankOf(from) === -1) return `"${from}" is no layer`
  if (rankOf(to) === -1) return `"${to}" is no layer`
  if (from === to) return sameRoom(file.path, target)
  if (rankOf(to) === rankOf(from)) return `${from} and ${to} are neighbours`
  return rankOf(to) > rankOf(from) ? `${to} is to the right of ${from}` : undefined
}

/** One transport knows nothing of another; what they share lies beside their folders. */
function sameRoom(from: string, to: string): string | undefined {
  const [, room, fromPart, fromDeeper] = from.split('/')
  const [, , toPart, toDeeper] = to.split('/')
  const areFolders = fromDeeper !== undefined && toDeeper !== undefined
  if (room !== 'transport' || !areFolders || fromPart === toPart) return undefined
  return `${fromPart} and ${toPart} are neighbours`
}

function outside(file: SourceFile, { specifier, isTypeOnly }: Import): string | undefined {
  const room = roomOf(file.path)
  if (specifier.startsWith('node:')) {
    return pure.includes(room) ? `${room} is pure: it knows no Node` : undefined
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  if (name === 'tailrace') return 'src imports its own files by path'
  const rooms = packages[name]
  if (rooms === undefined) return 'no layer is named for this package'
  if (!rooms.includes(room)) return `only ${rooms.join(' and ')} may`
  return typesOnly.includes(name) && !isTypeOnly ? 'types only: use import type' : undefined
}

/** Packages that layers may import but the package does not bring, and the other way round. */
export function dependencyBreaches(dependencies: readonly string[]): string[] {
  const named = Object.keys(packages)
  return [
    ...named.filter((name) => !dependencies.includes(name)).map((name) => `${name} is not brought`),
    ...dependencies.filter((name) => !named.includes(name)).map((name) => `${name} has no layer`)
  ]
}

/** The groups of shipped files that import each other in a circle, type imports counted. */
export function importCycles(tree: readonly SourceFile[]): string[][] {
  const targets = new Map<string, string[]>()
  for (const file of tree.filter(({ path }) => isShipped(path))) {
    targets.set(
      file.path,
      importsOf(file).flatMap(({ path }) => (path === undefined ? [] : [path]))
    )
  }
  return connected(targets).filter(
    (group) => group.length > 1 || targets.get(group[0] ?? '')?.includes(group[0] ?? '')
  )
}

/** Strongly connected groups (Tarjan). */
function connected(targets: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const groups: string[][] = []
  const visit = (node: string): number => {
    const index = order.size
    order.set(node, index)
    open.push(node)
    let low = index
    for (const next of targets.get(node) ?? []) {
      if (!targets.has(next)) continue
      if (!order.has(next)) low = Math.min(low, visit(next))
      else if (open.includes(next)) low = Math.min(low, lowest.get(next) ?? order.get(next) ?? low)
    }
    lowest.set(node, low)
    if (low === index) groups.push(open.splice(open.indexOf(node)).toSorted())
    return low
  }
  for (const node of targets.keys()) if (!order.has(node)) visit(node)
  return groups
}

function roomOf(path: string): string {
  const parts = path.split('/')
  return parts.length > 2 ? (parts[1] ?? '') : ''
}

function rankOf(room: string): number {
  return layers.findIndex((row) => row.includes(room))
}
