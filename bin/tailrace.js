#!/usr/bin/env node
// The door of the command line. No static import and no new syntax above the version check:
// these lines must run on a Node that is too old, to say so.
const running = process.versions.node
const [major, minor, patch] = running.split('.').map(Number)
const isSupported =
  (major === 22 && (minor > 22 || (minor === 22 && patch >= 3))) ||
  (major === 24 && minor >= 15) ||
  major > 24

const launcherMark = '_TAILRACE_LAUNCHED'
const here = (path) => new URL(path, import.meta.url)

import('fs')
  .then((fs) => {
    // The packed package carries no tsconfig: what has one is a checkout, and runs from source.
    const isCheckout = fs.existsSync(here('../tsconfig.build.json'))
    const ownNode = here('../node_modules/node/bin/node')
    if (isSupported) return start(isCheckout)
    const isSecondTry = process.env[launcherMark] !== undefined
    if (isCheckout && !isSecondTry && fs.existsSync(ownNode)) return runWith(ownNode)
    // With its package but without its program, the install ran no scripts; without either, it
    // left out what is optional.
    const cure = fs.existsSync(here('../node_modules/node'))
      ? 'npm rebuild node --ignore-scripts=false'
      : 'npm install --include=optional'
    console.error(
      'tailrace needs Node >=22.22.3 <23 or >=24.15, and this is Node ' +
        running +
        (isCheckout ? ': run `' + cure + '` in this repository, or ' : ': ') +
        'install Node 24 (https://nodejs.org) and run the command again.'
    )
    process.exitCode = 64
  })
  .catch((error) => {
    console.error(error)
    process.exitCode = 1
  })

async function start(isCheckout) {
  if (isCheckout) await resolveToSource()
  dieWithLauncher()
  const main = await import(here(isCheckout ? '../src/cli/main.ts' : '../dist/cli/main.js').href)
  await main.main(process.argv.slice(2))
}

// In a checkout `import 'tailrace'` means src. A hook and not `--conditions`, because that would
// take a second process, and whoever kills the first one with -9 means this one.
async function resolveToSource() {
  const { registerHooks } = await import('module')
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier !== 'tailrace' && !specifier.startsWith('tailrace/')) {
        return next(specifier, context)
      }
      return next(specifier, { ...context, conditions: [...context.conditions, 'tailrace-source'] })
    }
  })
}

// Under an unsupported Node the repository's own one runs the command; signals go through, and
// the exit is repeated here so that the shell sees what happened.
async function runWith(ownNode) {
  const { spawn } = await import('child_process')
  const { fileURLToPath } = await import('url')
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const child = spawn(fileURLToPath(ownNode), args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [launcherMark]: '1' }
  })
  for (const signal of [
    'SIGINT',
    'SIGTERM',
    'SIGQUIT',
    'SIGHUP',
    'SIGUSR1',
    'SIGTTIN',
    'SIGTSTP'
  ]) {
    // A terminal sends Ctrl-C to the whole group: the child has it already, and twice means cold.
    const isShared = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')
    process.on(signal, () => isShared || child.kill(signal))
  }
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

// kill -9 of the launcher cannot be passed on: the pipe between the two says that it is gone.
function dieWithLauncher() {
  if (process.env[launcherMark] === undefined) return
  delete process.env[launcherMark]
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel.unref()
}
