// What the Kafka library's declarations use of `debug`, which brings none of its own.

declare function debug(namespace: string): debug.Debugger

declare namespace debug {
  interface Debugger {
    (format: unknown, ...args: readonly unknown[]): void
    readonly enabled: boolean
  }
}

export default debug
