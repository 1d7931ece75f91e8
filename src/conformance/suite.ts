// The frame of every conformance suite: named cases, and skips that must say why.

import { test } from 'node:test'
import { brokenInvariant } from '../core/errors.ts'

/** A case that cannot hold for an implementation, and why. */
export interface Skip {
  /** Title of the case, as it is printed. */
  readonly test: string
  readonly reason: string
}

export interface Case<Scene> {
  readonly title: string
  readonly run: (scene: Scene) => Promise<void>
}

export interface Suite<Scene> {
  readonly name: string
  readonly cases: readonly Case<Scene>[]
  readonly skip: readonly Skip[]
  /** Everything a case needs, made afresh for each. */
  readonly open: () => Promise<Scene & { dispose(): Promise<void> }>
}

/** How long one case may take before it counts as hanging. */
const caseMsMax = 60_000

/** Registers one test for each case. */
export function registerSuite<Scene>(suite: Suite<Scene>): void {
  const titles = new Set(suite.cases.map((one) => one.title))
  if (titles.size !== suite.cases.length) {
    throw brokenInvariant(`two cases of ${suite.name} have the same title`)
  }
  for (const { test: title, reason } of suite.skip) {
    if (!titles.has(title)) {
      throw brokenInvariant(`a skip names '${title}', which is no case of ${suite.name}`)
    }
    if (reason.length <= 0) throw brokenInvariant(`the skip of '${title}' gives no reason`)
  }
  for (const { title, run } of suite.cases) {
    const skip = suite.skip.find((one) => one.test === title)?.reason ?? false
    test(`${suite.name}: ${title}`, { skip, timeout: caseMsMax }, async () => {
      const scene = await suite.open()
      try {
        await run(scene)
      } finally {
        await scene.dispose()
      }
    })
  }
}
