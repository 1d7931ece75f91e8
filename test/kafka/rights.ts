// Gives a user rights on a broker with ACLs, and waits until the broker heeds them.
import assert from 'node:assert/strict'
import { createAclsV3, deleteAclsV3 } from '@platformatic/kafka'
import { createKafkaTransport } from '../../src/transport/kafka/index.ts'
import { hasCode } from '../../src/core/errors.ts'
import type { Cluster } from '../../src/transport/kafka/cluster.ts'
import { until } from '../runtime/app-log.ts'
import { ownName } from './member.ts'

const kinds = { topic: 2, group: 3, transactionalId: 5 } as const
const operations = {
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  DESCRIBE: 8,
  DESCRIBE_CONFIGS: 10
} as const
const prefixed = 4
const allow = 3

export interface Right {
  readonly kind: keyof typeof kinds
  /** Of what begins so. */
  readonly prefix: string
  readonly operation: keyof typeof operations
}

/** `url` and `login` are how the user comes in, `cluster` is the administrator's. */
export interface Grant {
  readonly cluster: Cluster
  readonly url: string
  readonly login: { readonly username: string; readonly password: string }
  readonly tls?: { readonly ca: string }
}

export async function grant(to: Grant, rights: readonly Right[]): Promise<void> {
  const mark: Right = { kind: 'topic', prefix: ownName('mark'), operation: 'DESCRIBE' }
  const link = await to.cluster.controller()
  const { results } = await link.call(
    createAclsV3.api,
    [...rights, mark].map(({ kind, operation, prefix }) => ({
      resourceType: kinds[kind],
      resourceName: prefix,
      resourcePatternType: prefixed,
      principal: `User:${to.login.username}`,
      host: '*',
      operation: operations[operation],
      permissionType: allow
    }))
  )
  for (const { errorCode, errorMessage } of results) assert.equal(errorCode, 0, `${errorMessage}`)
  await until(() => mayDescribe(to, mark.prefix), 'the broker heeds the rights')
}

/** Takes single rights away again, exactly as they were given. */
export async function revoke(
  cluster: Cluster,
  user: string,
  rights: readonly Right[]
): Promise<void> {
  const link = await cluster.controller()
  const { filterResults } = await link.call(
    deleteAclsV3.api,
    rights.map(({ kind, operation, prefix }) => ({
      resourceType: kinds[kind],
      resourceName: prefix,
      resourcePatternType: prefixed,
      principal: `User:${user}`,
      host: '*',
      operation: operations[operation],
      permissionType: allow
    }))
  )
  for (const { errorCode, matchingAcls } of filterResults) {
    assert.deepEqual([errorCode, matchingAcls.length], [0, 1])
  }
}

async function mayDescribe({ login, tls, url }: Grant, topic: string): Promise<boolean> {
  const transport = createKafkaTransport({ url, sasl: login, ...(tls !== undefined && { tls }) })
  try {
    await transport.open()
    await transport.admin().describe([topic])
    return true
  } catch (error) {
    if (hasCode(error, 'TAILRACE_TRANSPORT_FORBIDDEN')) return false
    throw error
  } finally {
    await transport.close()
  }
}
