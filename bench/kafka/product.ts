// The package as it is installed: compiled, found by its name. A start from the TypeScript of the
// repository would measure how long it takes to strip its types.
import { copyFile, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../scripts/kafka/java.ts'

const root = join(import.meta.dirname, '..', '..')
/** The measured worker, and what it imports beside the package. */
const programs = ['kafka/worker.ts', 'page-views.ts', 'programs.ts', 'table-check.ts']

/** Answers the path of the worker in a package of its own. */
export async function buildProduct(directory: string): Promise<string> {
  const product = join(directory, 'product')
  await mkdir(join(product, 'bench', 'kafka'), { recursive: true })
  await copyFile(join(root, 'package.json'), join(product, 'package.json'))
  await symlink(join(root, 'node_modules'), join(product, 'node_modules'))
  for (const name of programs) {
    await copyFile(join(root, 'bench', name), join(product, 'bench', name))
  }
  // Types are the business of `npm run types`.
  const options = ['--noCheck', '--declaration', 'false', '--declarationMap', 'false']
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const project = ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(product, 'dist')]
  const untyped = ['--isolatedDeclarations', 'false']
  const args = [compiler, ...project, ...options, ...untyped]
  const { code, stdout } = await run(process.execPath, args)
  if (code !== 0)
    throw new Error(`the package could not be compiled (exit code ${code}):\n${stdout}`)
  return join(product, 'bench', 'kafka', 'worker.ts')
}
