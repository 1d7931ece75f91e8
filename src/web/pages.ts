// The Hono app behind `app.web`: '/count' and '/count/' are one page, however it was declared.
import { Hono } from 'hono'
import type { Result, Router } from 'hono/router'
import { TrieRouter } from 'hono/router/trie-router'
import { answerError, answerNotFound } from './routes.ts'

export function createPages(): Hono {
  // Not strict: the slash at the end of a request is taken off; the router does it to pages.
  const pages = new Hono({ strict: false, router: new SlashRouter() })
  pages.onError(answerError)
  pages.notFound(answerNotFound)
  return pages
}

class SlashRouter<T> implements Router<T> {
  readonly name: string = 'SlashRouter'
  readonly #trie = new TrieRouter<T>()

  add(method: string, path: string, handler: T): void {
    const isSlashed = path.length > 1 && path.endsWith('/')
    this.#trie.add(method, isSlashed ? path.slice(0, -1) : path, handler)
  }

  match(method: string, path: string): Result<T> {
    return this.#trie.match(method, path)
  }
}
