// The certificates of the tests: made once, of no use to anybody, and kept beside the jars.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cache, kafka, whole } from './jars.ts'
import { jdkProgram, run } from './java.ts'
import { locked } from './lock.ts'

/** Of the stores, which guard nothing. */
export const storePassword = 'tailrace'

/** Paths. A client needs `ca`; where it shows a certificate, `client` and `clientKey` too. */
export interface Certificates {
  readonly ca: string
  readonly client: string
  readonly clientKey: string
  /** An authority that the broker's certificate is not of. */
  readonly otherCa: string
  /** A certificate of that authority: the broker must refuse it. */
  readonly stranger: string
  readonly strangerKey: string
  /** The broker's own, in Java's form: its key, and whom it trusts. */
  readonly serverStore: string
  readonly trustedStore: string
}

export async function certificates(): Promise<Certificates> {
  // The name changes with what is made: a folder of an older form is left alone.
  const folder = join(cache, 'certificates-1')
  if (!existsSync(folder)) {
    await locked(join(cache, 'certificates.lock'), async () => {
      if (!existsSync(folder)) await whole(folder, make)
    })
  }
  const path = (name: string): string => join(folder, name)
  return {
    ca: path('ca.pem'),
    client: path('client.pem'),
    clientKey: path('client.key.pem'),
    otherCa: path('other-ca.pem'),
    stranger: path('stranger.pem'),
    strangerKey: path('stranger.key.pem'),
    serverStore: path('server.p12'),
    trustedStore: path('trusted.p12')
  }
}

async function make(folder: string): Promise<void> {
  const { classpath } = await kafka()
  const args = [
    '--add-exports=java.base/sun.security.tools.keytool=ALL-UNNAMED',
    ...['-cp', classpath, 'Certificates', folder, storePassword]
  ]
  const { code, stderr, stdout } = await run(jdkProgram('java'), args)
  if (code !== 0) throw new Error(`keytool made no certificates:\n${stdout}${stderr}`)
}
