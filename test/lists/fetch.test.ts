/** One download, from a real server over real TLS, and every way in which it goes wrong. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BACKOFF_MAX_MS } from '../../src/lists/fetch.ts'
import { FetchStand, LIST } from './fetch-stand.ts'

/** A transfer coding that does not frame the body. */
const CODED = 'Transfer-Encoding: identity\r\n'

const stand = new FetchStand()
beforeAll(() => stand.start())
afterAll(() => stand.close())

describe('a download', () => {
  test('is in the file, with its SHA-256 and what tells it from the next', async () => {
    const { result, file } = await stand.attempt()
    expect(result).toEqual({
      kind: 'fetched',
      sha256: createHash('sha256').update(LIST).digest('hex'),
      bytes: LIST.length,
      etag: expect.stringMatching(/^".+"$/),
      lastModified: 'Sat, 21 Nov 2026 10:00:00 GMT',
    })
    expect(readFileSync(file, 'utf8')).toBe(LIST)
    expect(stand.publisher.requests.at(-1)!.headers).toMatchObject({
      'user-agent': 'sluss/1.2.3',
      'accept-encoding': 'identity',
    })
  })

  test('does not happen where the server says that nothing is new', async () => {
    const { result: first } = await stand.attempt()
    if (first.kind !== 'fetched') throw new Error(first.kind)
    const { result, file } = await stand.attempt({ known: first })
    expect(result).toEqual({ kind: 'unchanged' })
    expect(existsSync(file)).toBe(false)
    expect(stand.publisher.requests.at(-1)!.headers['if-modified-since']).toBe(first.lastModified)
  })

  test('tells how far it is', async () => {
    stand.publisher.publish('/long', 'x'.repeat(300_000))
    const seen: [number, number | null][] = []
    await stand.attempt({
      url: stand.publisher.url('/long'),
      onProgress: (bytes, total) => seen.push([bytes, total]),
    })
    expect(seen.at(-1)).toEqual([300_000, 300_000])
    expect(seen.map(([bytes]) => bytes)).toEqual(seen.map(([bytes]) => bytes).sort((a, b) => a - b))
  })

  test('without a length ends where the server says so', async () => {
    stand.publisher.answer('/chunked', (_, response) => {
      response.write('example.com\n')
      response.end('example.org\n')
    })
    const { result } = await stand.attempt({ url: stand.publisher.url('/chunked') })
    expect(result).toMatchObject({ kind: 'fetched', bytes: LIST.length })
  })

  test('that is packed for the way by a server stays as it came', async () => {
    stand.publisher.answer('/list.gz', (_, response) => {
      response.writeHead(200, { 'Content-Encoding': 'x-gzip' }).end(Buffer.from([0x1f, 0x8b, 8]))
    })
    expect(await stand.attempt({ url: stand.publisher.url('/list.gz') })).toMatchObject({
      result: { kind: 'fetched', bytes: 3 },
    })
  })
})

describe('a body that ends where the connection ends', () => {
  const open = (headers = '') => {
    stand.publisher.publishOpen('/open', LIST, headers)
    return { url: stand.publisher.url('/open') }
  }
  const expected = { code: 'open-end', what: 'does not say where the list ends' } as const
  stand.check('may have been cut', open, expected)
  stand.check('also where a coding is said that has no end', () => open(CODED), expected)

  test.each(['', CODED])('is taken where a digest tells a cut one: %j', async (headers) => {
    const { result, file } = await stand.attempt({ ...open(headers), hasDigest: true })
    expect(result).toMatchObject({ kind: 'fetched', bytes: LIST.length })
    expect(readFileSync(file, 'utf8')).toBe(LIST)
  })
})

describe('what a server may do wrong', () => {
  stand.check(
    'it promises more than it sends',
    stand.answering('/cut', (response) => {
      response.writeHead(200, { 'Content-Length': '1000' })
      response.write('example.com\n', () => response.socket?.end())
    }),
    { code: 'cut', what: 'before the whole had come', mayPass: true },
  )
  stand.check(
    'it falls silent within a chunk',
    stand.answering('/cut-chunk', (response) => {
      response.write('example.com\n', () => response.socket?.destroy())
    }),
    { code: 'cut', what: 'before the whole had come', mayPass: true },
  )
  stand.check(
    'it never answers',
    () => ({ ...stand.answering('/silent', () => {})(), rules: { idleMs: 40 } }),
    { code: 'slow', what: 'was silent for 0.04 s', mayPass: true },
  )
  stand.check(
    'it begins, and then says no more',
    () => ({
      ...stand.answering('/stalled', (response) => response.write('example.com\n'))(),
      rules: { idleMs: 60 },
    }),
    { code: 'slow', what: 'was silent', mayPass: true },
  )
  stand.check(
    'it never ends, a little at a time',
    () => {
      const drip = (response: ServerResponse) => {
        const timer = setInterval(() => response.write('a.example\n'), 5)
        response.on('close', () => clearInterval(timer))
      }
      return { ...stand.answering('/drip', drip)(), rules: { timeoutMs: 150 } }
    },
    { code: 'slow', what: 'took longer than 0.15 s', mayPass: true },
  )
  stand.check(
    'it never ends, as fast as it can',
    stand.answering('/endless', (response) => {
      const chunk = 'a.example\n'.repeat(6_000)
      const more = () => {
        while (response.write(chunk)) if (response.destroyed) return
      }
      response.on('drain', more)
      more()
    }),
    { code: 'too-large', what: 'more than 1000000 bytes' },
  )
  stand.check(
    'it switches to another protocol',
    stand.answering('/switch', ({ socket }) => {
      socket?.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    }),
    { code: 'not-the-protocol', what: 'switches to another protocol (101)' },
  )
  stand.check(
    'it says beforehand that it is too large',
    stand.answering('/large', (response) =>
      response.writeHead(200, { 'Content-Length': '1000001' }).end(),
    ),
    { code: 'too-large', what: 'more than 1000000 bytes' },
  )
  stand.check(
    'it sends a web page, and says so',
    stand.answering('/html', (response) => {
      response.writeHead(200, { 'Content-Type': 'Text/HTML; charset=utf-8' }).end(LIST)
    }),
    { code: 'type', what: 'a web page' },
  )
  stand.check(
    'it sends a web page as if it were text, a byte at a time',
    stand.answering('/page', (response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain' })
      for (const char of '\ufeff\n <!DOCTYPE html>') response.write(char)
      response.end('<html>')
    }),
    { code: 'type', what: 'a web page' },
  )
  stand.check(
    'it packs in a way that nobody stand.asked for',
    stand.answering('/brotli', (response) =>
      response.writeHead(200, { 'Content-Encoding': 'br' }).end('x'),
    ),
    { code: 'type', what: 'do not read (br)' },
  )
  stand.check(
    'it says 304 to somebody who has nothing',
    stand.answering('/304', (response) => response.writeHead(304).end()),
    { code: 'status', what: '304' },
  )

  const status = (code: number, what: string, mayPass = false, retryAfter?: string) =>
    stand.check(
      `status ${code}${retryAfter ? `, Retry-After: ${retryAfter}` : ''}`,
      stand.answering(`/${code}`, (response) => {
        response.writeHead(code, retryAfter ? { 'Retry-After': retryAfter } : {}).end(LIST)
      }),
      {
        ...{ code: 'status', what, mayPass },
        ...(retryAfter ? { retryAfterMs: Number(retryAfter) * 1_000 } : {}),
      },
    )
  status(204, 'no file (204)')
  status(206, 'no file (206)')
  status(401, 'wants a sign-in (401)')
  status(403, 'does not let us have it (403)')
  status(404, 'has no such file (404)')
  status(410, 'gone for good (410)')
  status(418, 'refuses the request (418)')
  status(429, 'asked too often (429)', true, '7200')
  status(500, 'trouble of its own (500)', true)
  status(503, 'busy or under repair (503)', true, '120')
})

describe('tries', () => {
  test('a busy server is stand.asked again when it says so', async () => {
    let times = 0
    stand.publisher.answer('/busy', (_, response) => {
      if (times++ === 0) response.writeHead(503, { 'Retry-After': '7' }).end()
      else response.end(LIST)
    })
    const slept: number[] = []
    const { result } = await stand.attempt({
      url: stand.publisher.url('/busy'),
      rules: { retries: 3 },
      sleep: async (ms) => void slept.push(ms),
    })
    expect(result.kind).toBe('fetched')
    expect(slept).toEqual([7_000])
  })

  test('each waits longer than the one before, and chance takes up to a half', async () => {
    for (const [random, expected] of [
      [0, [1_000, 2_000, 4_000]],
      [1, [500, 1_000, 2_000]],
    ] as const) {
      const slept: number[] = []
      stand.publisher.answer('/broken', (_, response) => response.writeHead(502).end())
      const { result } = await stand.attempt({
        url: stand.publisher.url('/broken'),
        rules: { retries: 3 },
        random: () => random,
        sleep: async (ms) => void slept.push(ms),
      })
      expect(result).toMatchObject({ kind: 'failed', code: 'status' })
      expect(slept).toEqual(expected)
    }
  })

  const triedOnce = (name: string, path: string, status: number, headers = {}) =>
    test(name, async () => {
      stand.publisher.answer(path, (_, response) => response.writeHead(status, headers).end())
      const before = stand.publisher.asked(path)
      const sleep = () => Promise.reject(new Error('it slept'))
      const { result } = await stand.attempt({
        url: stand.publisher.url(path),
        rules: { retries: 5 },
        sleep,
      })
      expect(result.kind).toBe('failed')
      expect(stand.publisher.asked(path) - before).toBe(1)
    })
  triedOnce('what will not pass is not tried again', '/gone', 410)
  const long = { 'Retry-After': String(BACKOFF_MAX_MS / 1_000 + 1) }
  triedOnce('a server that wants long peace has it', '/long-peace', 503, long)

  test('all of them together have the time of one', async () => {
    stand.publisher.answer('/slow', () => {})
    const { result } = await stand.attempt({
      url: stand.publisher.url('/slow'),
      rules: { retries: 1_000, idleMs: 20, timeoutMs: 150 },
      sleep: async () => {},
    })
    expect(result).toMatchObject({ kind: 'failed', code: 'slow' })
    expect(stand.publisher.asked('/slow')).toBeLessThan(100)
  })

  test('a stop ends a download, and the wait before a try', async () => {
    const controller = new AbortController()
    stand.publisher.answer('/hanging', () => controller.abort())
    const { result } = await stand.attempt({
      url: stand.publisher.url('/hanging'),
      signal: controller.signal,
    })
    expect(result).toMatchObject({ kind: 'failed', code: 'stopped' })
    const waiting = new AbortController()
    stand.publisher.answer('/waiting', (_, response) => response.writeHead(503).end())
    const { result: second } = await stand.attempt({
      url: stand.publisher.url('/waiting'),
      rules: { retries: 1 },
      signal: waiting.signal,
      sleep: async (_, signal) => {
        waiting.abort()
        signal.throwIfAborted()
      },
    })
    expect(second).toMatchObject({ kind: 'failed', code: 'stopped' })
  })
})

test('no download leaves a part behind', () => {
  const kept = readdirSync(stand.folder).filter((name) => name.startsWith('part-'))
  for (const name of kept) expect(readFileSync(join(stand.folder, name)).length).toBeGreaterThan(0)
  expect(kept.length).toBeLessThan(stand.count)
})
