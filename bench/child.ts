// A measured worker as its parent holds it: starts it, asks it, ends it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Job } from './programs.ts'
import type { Answer, Question } from './worker.ts'

type Kind = Answer['kind']
type AnswerOf<K extends Kind> = Extract<Answer, { readonly kind: K }>

export class Child {
  readonly #process: ChildProcess
  readonly #answers = new Map<Kind, PromiseWithResolvers<Answer>>()
  readonly #ended: Promise<unknown>
  #isStopping = false
  #failure: Error | undefined

  constructor(job: Job, profile: string | undefined) {
    const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
    this.#process = fork(new URL('worker.ts', import.meta.url), [JSON.stringify(job)], {
      execArgv: [...process.execArgv, ...flags]
    })
    this.#process.on('message', (answer: Answer) => this.#slot(answer.kind).resolve(answer))
    this.#ended = once(this.#process, 'exit').then(([code, signal]) => {
      if (this.#isStopping) return
      const error = new Error(`the worker ended by itself: ${signal ?? code}`)
      this.#failure = error
      for (const { reject } of this.#answers.values()) reject(error)
    })
  }

  /** @throws when the worker is gone, so that nobody waits for what it will never do */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  async answer<K extends Kind>(kind: K): Promise<AnswerOf<K>> {
    return (await this.#slot(kind).promise) as AnswerOf<K>
  }

  ask<K extends Kind & Question>(question: K): Promise<AnswerOf<K>> {
    this.#process.send(question)
    return this.answer(question)
  }

  /** From here on the loop's holds are noted. */
  async watch(): Promise<void> {
    this.#process.send('watch' satisfies Question)
    await this.answer('watching')
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    if (this.#process.connected) this.#process.send('stop' satisfies Question)
    await this.#ended
  }

  kill(): void {
    this.#isStopping = true
    this.#process.kill('SIGKILL')
  }

  #slot(kind: Kind): PromiseWithResolvers<Answer> {
    const known = this.#answers.get(kind)
    if (known !== undefined) return known
    const made = Promise.withResolvers<Answer>()
    if (this.#failure !== undefined) made.reject(this.#failure)
    // Not every answer is waited for.
    made.promise.catch(() => undefined)
    this.#answers.set(kind, made)
    return made
  }
}
