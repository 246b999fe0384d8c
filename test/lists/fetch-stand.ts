/** Owns: downloads of a test, from a publisher of its own; each into a file of its own. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type FetchContext,
  type FetchResult,
  fetchToFile,
  type Validators,
} from '../../src/lists/fetch.ts'
import type { FetchCode } from '../../src/lists/fetch-failure.ts'
import { routeOf } from '../../src/lists/fetch-route.ts'
import type { UpdateRules } from '../../src/lists/remote.ts'
import { type Authority, makeAuthority, Publisher } from './https-stand.ts'

export const LIST = 'example.com\nexample.org\n'

const usual: UpdateRules = {
  proxy: null,
  certificates: null,
  timeoutMs: 60_000,
  idleMs: 30_000,
  bytesMax: 1_000_000,
  retries: 0,
  allow: [],
}

export interface Attempt extends Partial<Omit<FetchContext, 'rules'>> {
  readonly url?: string
  readonly hasDigest?: boolean
  readonly known?: Validators
  readonly rules?: Partial<UpdateRules>
  /** Beside those of lists.test and other.test. */
  readonly addresses?: Readonly<Record<string, readonly string[]>>
}

export interface Expected {
  readonly code: FetchCode
  /** A part of it. */
  readonly what: string
  readonly mayPass?: boolean
  readonly retryAfterMs?: number
}

/** Start it before all tests, close it after them. */
export class FetchStand {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluss-fetch-'))
  readonly authority: Authority = makeAuthority()
  readonly publisher = new Publisher(this.authority)
  /** The same on another port: another place, as far as a redirect is concerned. */
  readonly other = new Publisher(this.authority)
  /** Names that were looked up. */
  readonly asked: string[] = []
  /** Downloads so far. */
  count = 0

  async start(): Promise<void> {
    await this.publisher.start()
    await this.other.start()
    this.publisher.publish('/list', LIST, { 'Last-Modified': 'Sat, 21 Nov 2026 10:00:00 GMT' })
    this.other.publish('/list', LIST)
  }

  async close(): Promise<void> {
    await this.publisher.close()
    await this.other.close()
    this.authority.remove()
    rmSync(this.folder, { recursive: true })
  }

  /** Downloads into a file of its own. */
  async attempt({
    url = this.publisher.url('/list'),
    known,
    hasDigest = false,
    rules = {},
    addresses = {},
    ...context
  }: Attempt = {}): Promise<{ result: FetchResult; file: string }> {
    const file = join(this.folder, `part-${this.count++}`)
    const all = { ...usual, certificates: this.authority.file, ...rules }
    const names: Record<string, readonly string[]> = {
      'lists.test': ['127.0.0.1'],
      'other.test': ['127.0.0.1'],
      ...addresses,
    }
    const route = routeOf(all, async (host) => {
      this.asked.push(host)
      const found = names[host]
      if (found === undefined) throw new Error('ENOTFOUND')
      return found
    })
    if ('kind' in route) return { result: route, file }
    const result = await fetchToFile(
      { url, known: known ?? null, file, bytesMax: all.bytesMax, hasDigest },
      { route, rules: all, version: '1.2.3', random: () => 0, nowMs: () => 0, ...context },
    )
    return { result, file }
  }

  /** What to download where the publisher answers so. */
  answering(path: string, answer: (response: ServerResponse) => void): () => Attempt {
    return () => {
      this.publisher.answer(path, (_, response) => answer(response))
      return { url: this.publisher.url(path) }
    }
  }

  /** A download that fails as expected, tried once, and leaves nothing behind. */
  check(name: string, setUp: () => Attempt, expected: Expected): void {
    test(name, async () => {
      const { result, file } = await this.attempt(setUp())
      expect(result).toEqual({
        kind: 'failed',
        mayPass: false,
        retryAfterMs: null,
        ...expected,
        what: expect.stringContaining(expected.what),
        hint: expect.stringMatching(/^[A-Z].+\.$/),
      })
      expect(existsSync(file)).toBe(false)
    })
  }
}
