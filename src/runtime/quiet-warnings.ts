// Keeps two warnings of Node 22 away: we chose both features knowingly, and say so in the docs.

const known = /type stripping|sqlite/i

/** Of this thread, from now on; other warnings are printed as Node prints them. */
export function quietWarnings(): void {
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning' && known.test(warning.message)) return
    for (const listener of listeners) listener(warning)
  })
}
