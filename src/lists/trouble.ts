/**
 * Owns: what is wrong with one list, as a value, and as what stops the reading of a stream.
 * Never: names the list; compile.ts knows which it is.
 */

/** What is wrong, and what to do about it. */
export interface Trouble {
  readonly what: string
  readonly hint: string
  /** 1-based, where it is one line's fault. */
  readonly line?: number
}

/** Thrown in the streams of a list, where no value can be returned; readList makes a value of it. */
export class ListFault extends Error {
  readonly trouble: Trouble

  constructor(what: string, hint: string) {
    super(what)
    this.trouble = { what, hint }
  }
}
