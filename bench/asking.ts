/**
 * Owns: asking one contender: all hosts of a question for the answers, or against the clock; and
 * what it takes in memory.
 * Never: builds one, or compares.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type Asker, CONTENDERS, type Kind } from './contenders.ts'
import { hostsFile, QUESTIONS, type Question, readLines } from './corpus.ts'
import { median, perSecond } from './measure.ts'

export interface Built {
  readonly buildMs: number
  /** What it keeps: on the heap of JavaScript, and beside it. */
  readonly keptBytes: number
  /** Of the whole process, Node and all. */
  readonly rssBytes: number
  /** To have it again from a file that it was saved in; null: it cannot be saved. */
  readonly loadMs: number | null
}

export interface Answers {
  /** Of the hosts that are listed: how many, and a digest of which. */
  readonly listed: number
  readonly whichListed: string
  /** Digest of the categories of each host; null: it cannot tell. */
  readonly categories: string | null
}

/** How hosts come: as strings, or in a buffer as from a socket. */
export type Form = 'string' | 'bytes'

export interface Round {
  readonly lookupsPerSecond: number
  /** Among the hosts that were asked for. */
  readonly listed: number
}

/** Touched before a lookup that is to find nothing in the cache of its core. */
const COLD_BYTES = 8 * 1_024 * 1_024
const COLD_SAMPLES = 400
const COLD_LOOKUPS = 4
const ALLOCATION_SAMPLES = 20

interface Packed {
  readonly bytes: Buffer
  readonly ends: Int32Array
}

export class Asking {
  readonly built: Built
  readonly #share: number
  readonly #asker: Asker
  readonly #questions: Readonly<Record<Question, Packed>>

  private constructor(
    share: number,
    asker: Asker,
    questions: Record<Question, Packed>,
    built: Built,
  ) {
    this.#share = share
    this.#asker = asker
    this.#questions = questions
    this.built = built
  }

  /** Builds a contender from the lists of a corpus. */
  static async open(kind: Kind, folder: string): Promise<Asking> {
    const { build, share } = CONTENDERS[kind]
    const questions = Object.fromEntries(
      QUESTIONS.map((question) => [question, pack(readLines(hostsFile(folder, question)))]),
    ) as Record<Question, Packed>
    const heapBefore = heapBytes()
    const beganMs = performance.now()
    const asker = await build(folder)
    const buildMs = performance.now() - beganMs
    // Without a collection before and after, in a small run, the difference may be anything.
    const keptBytes = Math.max(1, heapBytes() - heapBefore + asker.imageBytes)
    return new Asking(share, asker, questions, {
      buildMs,
      keptBytes,
      rssBytes: process.memoryUsage.rss(),
      loadMs: asker.loadMs?.() ?? null,
    })
  }

  /** Asks for the first hosts, all that the slowest asks for. */
  answers(question: Question, form: Form, share: number): Answers {
    const { listed, categories } = this.#asker
    const packed = shared(this.#questions[question], share)
    const hosts = stringsOf(packed)
    const answers = Uint8Array.from(
      hosts,
      form === 'string'
        ? (host) => Number(listed(host))
        : (_, i) => Number(this.#listedBytes(packed.bytes, startOf(packed, i), packed.ends[i]!)),
    )
    const digest = (view: Uint8Array) => createHash('sha256').update(view).digest('hex')
    return {
      listed: answers.reduce((sum, one) => sum + one, 0),
      whichListed: digest(answers),
      categories:
        categories === null
          ? null
          : digest(new Uint8Array(Uint32Array.from(hosts, categories).buffer)),
    }
  }

  /** Asks for its share of the hosts, made anew as each request brings its own. */
  round(question: Question, form: Form): Round {
    const packed = shared(this.#questions[question], this.#share)
    const strings = form === 'string' ? stringsOf(packed) : []
    settle()
    let listed = 0
    const lookupsPerSecond = perSecond(packed.ends.length, () => {
      listed = form === 'string' ? this.#countStrings(strings) : this.#countBytes(packed)
    })
    return { lookupsPerSecond, listed }
  }

  /** Nanoseconds of a lookup right after other memory has driven ours from the core's cache. */
  coldNs(question: Question): number {
    const { listed } = this.#asker
    const hosts = stringsOf(this.#questions[question])
    const other = new Int32Array(COLD_BYTES / 4)
    const samples: number[] = []
    let sum = 0
    for (let i = 0; i + COLD_LOOKUPS <= hosts.length && samples.length < COLD_SAMPLES; ) {
      for (let at = 0; at < other.length; at += 16) sum += other[at]!++
      const began = process.hrtime.bigint()
      for (let end = i + COLD_LOOKUPS; i < end; i++) sum += Number(listed(hosts[i]!))
      samples.push(Number(process.hrtime.bigint() - began) / COLD_LOOKUPS)
    }
    assert(Number.isFinite(sum))
    return median(samples)
  }

  /** Bytes of the heap that a lookup takes, of the hosts as they come in that form. */
  allocatedBytes(question: Question, form: Form): number {
    const packed = this.#questions[question]
    const strings = form === 'string' ? stringsOf(packed) : []
    const samples = Array.from({ length: ALLOCATION_SAMPLES }, () => {
      settle()
      const before = process.memoryUsage().heapUsed
      if (form === 'string') this.#countStrings(strings)
      else this.#countBytes(packed)
      return (process.memoryUsage().heapUsed - before) / packed.ends.length
    })
    return Math.max(0, median(samples))
  }

  #countStrings(hosts: readonly string[]): number {
    const { listed } = this.#asker
    let count = 0
    for (let i = 0; i < hosts.length; i++) if (listed(hosts[i]!)) count++
    return count
  }

  #countBytes({ bytes, ends }: Packed): number {
    const listed = this.#listedBytes
    let count = 0
    let start = 0
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i]!
      if (listed(bytes, start, end)) count++
      start = end
    }
    return count
  }

  get #listedBytes() {
    const { listedBytes } = this.#asker
    assert(listedBytes !== null, 'this contender takes no bytes')
    return listedBytes
  }
}

function pack(hosts: readonly string[]): Packed {
  const ends = new Int32Array(hosts.length)
  let total = 0
  for (const [i, host] of hosts.entries()) {
    total += host.length
    ends[i] = total
  }
  return { bytes: Buffer.from(hosts.join(''), 'latin1'), ends }
}

function shared({ bytes, ends }: Packed, share: number): Packed {
  return { bytes, ends: ends.subarray(0, Math.ceil(ends.length * share)) }
}

function startOf({ ends }: Packed, i: number): number {
  return i === 0 ? 0 : ends[i - 1]!
}

function stringsOf(packed: Packed): string[] {
  const { bytes, ends } = packed
  return Array.from(ends, (end, i) => bytes.toString('latin1', startOf(packed, i), end))
}

/** What lives on the heap and in buffers, garbage aside where the process may collect it. */
function heapBytes(): number {
  // Buffers are freed beside the first, and are gone after the second.
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Moves new strings to where they stay, so that a round does not pay for copying them. */
function settle(): void {
  globalThis.gc?.({ type: 'minor' })
  globalThis.gc?.({ type: 'minor' })
}
