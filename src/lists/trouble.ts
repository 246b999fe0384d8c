/**
 * Owns: what is wrong with a list, as a value, and as what stops the reading of a stream.
 * Never: names the list; compile.ts knows which it is.
 */

/** Something that went wrong, for people. */
export interface Trouble {
  readonly what: string
  /** What to do about it: a whole sentence. */
  readonly hint: string
}

/** What is wrong with what a list holds. */
export interface ReadTrouble extends Trouble {
  /** 1-based, where it is one line's fault. */
  readonly line?: number
}

/** Thrown in the streams of a list, where no value can be returned; readList makes a value of it. */
export class ListFault extends Error {
  readonly trouble: ReadTrouble

  constructor(what: string, hint: string) {
    super(what)
    this.trouble = { what, hint }
  }
}
