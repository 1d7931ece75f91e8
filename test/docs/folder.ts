// An empty folder as it is after `npm install tailrace zod`, made of links to this repository.
import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../house/source.ts'

/** Whoever makes it removes it. */
export async function installedFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tailrace-docs-'))
  await mkdir(join(folder, 'node_modules'))
  const link = (to: string, name: string): Promise<void> =>
    symlink(to, join(folder, 'node_modules', name), 'junction')
  await link(root, 'tailrace')
  for (const name of ['zod', '@types']) await link(join(root, 'node_modules', name), name)
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  return folder
}
