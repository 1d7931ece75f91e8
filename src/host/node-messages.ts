// What supervisor and node say to each other over the channel of the node's process. Health goes
// over a pipe of its own, because this channel is read and written by the node's loop.

export type ToNode =
  /** Warm: finish, commit, leave. Cold: drop what is open. Asked again warm it is the same stop. */
  | { readonly kind: 'stop'; readonly isCold: boolean; readonly reason: string }
  /** Finish, fetch no more, stay in the group. */
  | { readonly kind: 'quiet' }
  /** Write what runs to standard error. */
  | { readonly kind: 'dump' }

export type FromNode =
  /** Assigned, with every table restored; the first time it has started. */
  | { readonly kind: 'ready'; readonly tasks: number; readonly web: string | undefined }
  /** Its tables are being restored, or it cannot reach the log; `ready` comes again after that. */
  | { readonly kind: 'not-ready'; readonly reason: string }
  /** It ends because of this. */
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly message: string }
