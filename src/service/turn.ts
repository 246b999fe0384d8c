/**
 * Owns: that one at a time does a thing, in the order in which they asked.
 * Never: knows what they do.
 */
export class Turn {
  #last: Promise<void> = Promise.resolve()

  /** Resolves when it is the caller's turn, with what ends it; called again, that does nothing. */
  async take(): Promise<() => void> {
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    await before
    return resolve
  }
}
