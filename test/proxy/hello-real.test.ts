import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { chromium } from 'playwright-core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Hello } from '../../src/policy/index.ts'
import { HelloReader, type HelloState } from '../../src/proxy/hello.ts'
import { has, pathOf } from '../e2e/stand/programs.ts'

/** One connection: what the reader made of its first bytes, and the segments they came in. */
interface Heard {
  readonly hello: Hello
  readonly segments: readonly Buffer[]
}

let server: Server
let port: number
const heard: Heard[] = []
const waiting: ((heard: Heard) => void)[] = []
const children: ChildProcess[] = []

/** A listener that never answers: it reads a hello, as a tunnel's first bytes, and closes. */
beforeEach(async () => {
  server = createServer(listenTo)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill()
  heard.splice(0)
  waiting.splice(0)
  server.close()
  await once(server, 'close')
})

function listenTo(socket: Socket): void {
  const reader = new HelloReader()
  const segments: Buffer[] = []
  socket.on('error', () => {})
  socket.on('data', (bytes: Buffer) => {
    segments.push(Buffer.from(bytes))
    const state = reader.push(bytes)
    if (state === 'more') return
    socket.removeAllListeners('data')
    socket.destroy()
    const one: Heard = { hello: state, segments }
    const wake = waiting.shift()
    if (wake === undefined) heard.push(one)
    else wake(one)
  })
}

/** The next connection that has said something. */
function next(): Promise<Heard> {
  const one = heard.shift()
  return one === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(one)
}

/** Starts a program that will meet the listener; it is ended with the test. */
function start(program: string, ...args: string[]): void {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore'] })
  child.on('error', () => {})
  children.push(child)
}

function read(segments: readonly Buffer[]): HelloState {
  const reader = new HelloReader()
  for (const segment of segments) {
    const state = reader.push(segment)
    if (state !== 'more') return state
  }
  return 'more'
}

/** Any cut of what came says the same; no part of it is taken for whole; no change of it throws. */
function withstands({ hello, segments }: Heard): void {
  const bytes = Buffer.concat(segments)
  expect(read([bytes])).toEqual(hello)
  expect(read(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(hello)
  expect(read([bytes.subarray(0, -1)])).toBe('more')
  const place = fc.integer({ min: 0, max: bytes.length })
  fc.assert(
    fc.property(fc.array(place, { maxLength: 6 }), (places) => {
      const at = [0, ...places.sort((a, b) => a - b), bytes.length]
      expect(read(at.slice(1).map((end, i) => bytes.subarray(at[i], end)))).toEqual(hello)
    }),
  )
  const change = fc.tuple(fc.integer({ min: 0, max: bytes.length - 1 }), fc.nat(255))
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), place, (changes, middle) => {
      const mutated = Buffer.from(bytes)
      for (const [at, value] of changes) mutated[at] = value
      expect(read([mutated.subarray(0, middle), mutated.subarray(middle)])).toEqual(read([mutated]))
    }),
    { numRuns: 300 },
  )
}

const named = (serverName: string | null) => ({ kind: 'tls', serverName, encrypted: false })

describe.runIf(has('openssl'))('openssl', () => {
  const check = (name: string, args: readonly string[], expected: object) =>
    it(name, async () => {
      start('openssl', 's_client', '-connect', `127.0.0.1:${port}`, ...args)
      const one = await next()
      expect(one.hello).toEqual(expected)
      withstands(one)
    })
  check('a name', ['-servername', 'www.example.se'], named('www.example.se'))
  check('a name as it stands', ['-servername', 'WWW.Example.SE.'], named('WWW.Example.SE.'))
  check('no name', ['-noservername'], named(null))
  check('TLS 1.2', ['-servername', 'a.se', '-tls1_2'], named('a.se'))
  check('many protocols', ['-servername', 'a.se', '-alpn', 'h2,http/1.1,x'], named('a.se'))
  check('a small record', ['-servername', 'a.se', '-split_send_frag', '512'], named('a.se'))
})

describe.runIf(has('curl'))('curl', () => {
  const fetch = (authority: string) =>
    start(
      'curl',
      '-sk',
      '--max-time',
      '20',
      '--noproxy',
      '*',
      `https://${authority}/`,
      ...resolve(),
    )
  const resolve = () => ['--resolve', `www.example.se:${port}:127.0.0.1`]
  it('a name', async () => {
    fetch(`www.example.se:${port}`)
    const one = await next()
    expect(one.hello).toEqual(named('www.example.se'))
    withstands(one)
  })
  it('an address has no name', async () => {
    fetch(`127.0.0.1:${port}`)
    expect((await next()).hello).toEqual(named(null))
  })
  it('plain HTTP is not TLS', async () => {
    start('curl', '-s', '--max-time', '20', '--noproxy', '*', `http://127.0.0.1:${port}/`)
    expect((await next()).hello).toEqual({ kind: 'not-tls' })
  })
})

it('Node: a name, and none', async () => {
  for (const servername of ['www.example.se', '']) {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
    socket.on('error', () => {})
    const one = await next()
    expect(one.hello).toEqual(named(servername || null))
    withstands(one)
    socket.destroy()
  }
})

describe.runIf(has('chromium'))('Chromium', () => {
  it('a name among GREASE, a post-quantum key share and an encrypted hello for show', async () => {
    const browser = await chromium.launch({
      executablePath: pathOf('chromium') ?? 'chromium',
      args: ['--no-sandbox', `--host-resolver-rules=MAP www.example.se 127.0.0.1`],
    })
    try {
      const page = await browser.newPage()
      const gone = page.goto(`https://www.example.se:${port}/`).catch(() => null)
      const one = await next()
      expect(one.hello).toEqual({ kind: 'tls', serverName: 'www.example.se', encrypted: true })
      // Longer than a packet of Ethernet: on a real network it comes in two segments.
      expect(Buffer.concat(one.segments).length).toBeGreaterThan(1_460)
      withstands(one)
      await gone
    } finally {
      await browser.close()
    }
  })
})
