import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HELLO_BYTES_MAX, HelloReader, type HelloState } from '../../src/proxy/hello.ts'
import {
  clientHello,
  ech,
  extension,
  helloBody,
  helloFor,
  message,
  nameEntry,
  number,
  serverNames,
  tlsRecord,
  tlsRecords,
  vector,
} from './client-hello.ts'

/** What is said of `segments`, and how many bytes had come then. */
function read(...segments: Buffer[]): { state: HelloState; bytes: number } {
  const reader = new HelloReader()
  let bytes = 0
  for (const segment of segments) {
    bytes += segment.length
    const state = reader.push(segment)
    if (state !== 'more') return { state, bytes }
    // What was given may be used again by its owner: the reader must have kept a copy.
    segment.fill(0xee)
  }
  return { state: 'more', bytes }
}

const copyOf = (bytes: Buffer) => Buffer.from(bytes)
const oneByOne = (bytes: Buffer) => Array.from(bytes, (byte) => Buffer.from([byte]))
const named = (serverName: string | null, encrypted = false) => ({
  kind: 'tls',
  serverName,
  encrypted,
})
const not = (kind: 'not-tls' | 'malformed' | 'incomplete') => ({ kind })

/** In one segment, and byte by byte: the same. */
function check(name: string, bytes: Buffer, expected: object | 'more') {
  it(name, () => {
    expect(read(copyOf(bytes)).state).toEqual(expected)
    expect(read(...oneByOne(bytes)).state).toEqual(expected)
  })
}

const site = nameEntry('www.example.se')
const GREASE = extension(0x0a0a, Buffer.alloc(0))
const PADDING = extension(21, Buffer.alloc(600))
/** Legal parts that make a hello as long as they say. */
const long = (bytes: number) => clientHelloOf(extension(0x3374, Buffer.alloc(bytes)))
const clientHelloOf = (...extensions: Buffer[]) =>
  message(helloBody({ extensions: [serverNames(site), ...extensions] }))

describe('a hello', () => {
  check('with a name', helloFor(site), named('www.example.se'))
  check('that is followed by more', Buffer.concat([helloFor(site), Buffer.from('x')]), {
    ...named('www.example.se'),
  })
  check('without extensions', clientHello({ extensions: null }), named(null))
  check('with no extension', clientHello({ extensions: [] }), named(null))
  check('without a name', clientHello({ extensions: [GREASE, PADDING] }), named(null))
  check('with the name last', clientHello({ extensions: [GREASE, PADDING, serverNames(site)] }), {
    ...named('www.example.se'),
  })
  check('no session', clientHello({ sessionId: Buffer.alloc(0) }), named('www.example.se'))
  check(
    'encrypted',
    clientHello({ extensions: [ech(), serverNames(site)] }),
    named('www.example.se', true),
  )
  check('encrypted, with no name', clientHello({ extensions: [ech()] }), named(null, true))
  check('an inner one hides nothing', clientHello({ extensions: [ech(1)] }), named(null))
  check(
    'an empty ECH hides nothing',
    clientHello({ extensions: [extension(0xfe0d, Buffer.alloc(0))] }),
    named(null),
  )
  check('over records', tlsRecords(message(helloBody()), 7), named('www.example.se'))
  check('a byte a record', tlsRecords(message(helloBody()), 1), named('www.example.se'))
  check('in the largest record', tlsRecord(paddedTo(16_384)), named('www.example.se'))
  check('one byte more, in two', tlsRecords(paddedTo(16_385), 16_384), named('www.example.se'))
  check('of TLS 1.2 on the outside', tlsRecord(message(helloBody()), { version: 0x0303 }), {
    ...named('www.example.se'),
  })
  check('of a minor version to come', tlsRecord(message(helloBody()), { version: 0x03ff }), {
    ...named('www.example.se'),
  })
})

/** A ClientHello message of so many bytes. */
function paddedTo(bytes: number): Buffer {
  return long(bytes - long(0).length)
}

describe('names', () => {
  check(
    'are given as they came',
    helloFor(nameEntry('WWW.Exa_mple.SE.')),
    named('WWW.Exa_mple.SE.'),
  )
  check('an address', helloFor(nameEntry('192.0.2.1')), named('192.0.2.1'))
  check('NUL', helloFor(nameEntry('a.se\0.b.se')), named('a.se\0.b.se'))
  check('UTF-8', helloFor(nameEntry('räksmörgås.se')), named('räksmörgås.se'))
  check('bytes that are no text', helloFor(nameEntry(Buffer.from([0xff, 0x2e]))), named('\ufffd.'))
  check('a long one', helloFor(nameEntry('a'.repeat(9_000))), named('a'.repeat(9_000)))
  check('of another type alone', helloFor(nameEntry('a.se', 1)), named(null))
  check('after another type', helloFor(nameEntry('b.se', 9), site), named('www.example.se'))
  check('before another type', helloFor(site, nameEntry('b.se', 9)), named('www.example.se'))
  check('two', helloFor(site, nameEntry('b.se')), not('malformed'))
  check('the same twice', helloFor(site, site), not('malformed'))
  check('none', helloFor(), not('malformed'))
  check('an empty one', helloFor(nameEntry('')), not('malformed'))
  const twice = [serverNames(site), GREASE, serverNames(site)]
  check('in two extensions', clientHello({ extensions: twice }), not('malformed'))
  const unnamed = [serverNames(nameEntry('b.se', 1)), serverNames(site)]
  check('in the second of two', clientHello({ extensions: unnamed }), not('malformed'))
  check(
    'an empty extension',
    clientHello({ extensions: [extension(0, Buffer.alloc(0))] }),
    not('malformed'),
  )
  for (const lie of [-1, 1, 500]) {
    const list = extension(0, vector(2, site, lie))
    check(`a list ${lie} bytes off`, clientHello({ extensions: [list] }), not('malformed'))
    const entry = Buffer.concat([number(1, 0), vector(2, Buffer.from('b.se'), lie)])
    check(`a name ${lie} bytes off`, helloFor(entry), not('malformed'))
  }
})

describe('what lies', () => {
  const bad = (name: string, parts: Parameters<typeof clientHello>[0]) =>
    check(name, clientHello(parts), not('malformed'))
  bad('a long session', { sessionId: Buffer.alloc(33) })
  bad('no ciphers', { ciphers: Buffer.alloc(0) })
  bad('half a cipher', { ciphers: Buffer.alloc(3) })
  bad('no compression', { compression: Buffer.alloc(0) })
  bad('extensions cut short', { extensionsLie: -1 })
  bad('extensions too long', { extensionsLie: 1 })
  bad('bytes after the extensions', { after: Buffer.from([0]) })
  bad('a byte for extensions', { extensions: null, after: Buffer.from([0]) })
  bad('an extension past the end', { extensions: [extension(5, Buffer.alloc(3), 1)] })
  bad('half an extension', { extensions: [Buffer.from([0, 5, 0])] })
  bad('two ECH', { extensions: [ech(), ech(1)] })
  check('an empty hello', tlsRecord(message(Buffer.alloc(0))), not('malformed'))
  for (const bytes of [1, 33, 34, 35, 66, 67, 68, 72, 73, 74]) {
    const cut = message(helloBody().subarray(0, bytes))
    check(`a hello of ${bytes} bytes`, tlsRecord(cut), not('malformed'))
  }
})

describe('records', () => {
  const hello = message(helloBody())
  const [first, rest] = [tlsRecord(hello.subarray(0, 9)), tlsRecord(hello.subarray(9))]
  check('an empty one', Buffer.from([0x16, 3, 1, 0, 0]), not('malformed'))
  const between = (...parts: Buffer[]) => Buffer.concat([first, ...parts, rest])
  check('an empty one between', between(tlsRecord(Buffer.alloc(0))), not('malformed'))
  check('an alert between', between(tlsRecord(Buffer.from([1, 90]), { type: 0x15 })), {
    ...not('malformed'),
  })
  check('one byte too large', Buffer.from([0x16, 3, 1, 0x40, 0x01]), not('malformed'))
  check('much too large', Buffer.from([0x16, 3, 1, 0xff]), not('malformed'))
  check('another major version', Buffer.from([0x16, 2]), not('not-tls'))
  check('a protocol that begins as an alert would', Buffer.from([0x15, 0x1c]), not('not-tls'))
  const changed = Buffer.concat([first, Buffer.from([0x16, 2])])
  check('another major version in the middle', changed, not('malformed'))
  check('a ServerHello', tlsRecord(message(helloBody(), { type: 2 })), not('malformed'))
  check('two hellos in one', tlsRecord(Buffer.concat([hello, hello])), not('malformed'))
  check('two hellos', Buffer.concat([tlsRecord(hello), tlsRecord(hello)]), named('www.example.se'))
  const tail = Buffer.concat([first, tlsRecord(Buffer.concat([hello.subarray(9), hello]))])
  check('the rest, and another message', tail, not('malformed'))
  check('a message that promises more', tlsRecord(message(helloBody(), { lie: 1 })), 'more')
})

describe('what is no hello is told by its first byte, or two', () => {
  for (const [name, bytes, kind, decidedAfter] of [
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'not-tls', 1],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'not-tls', 1],
    ['a hello of SSLv2', Buffer.from([0x80, 0x2e, 1, 3, 1]), 'not-tls', 1],
    ['an alert first', tlsRecord(Buffer.from([1, 90]), { type: 0x15 }), 'malformed', 2],
    ['application data', tlsRecord(Buffer.alloc(20), { type: 0x17 }), 'malformed', 2],
  ] as const) {
    it(name, () => {
      expect(read(...oneByOne(bytes))).toEqual({ state: not(kind), bytes: decidedAfter })
      expect(read(copyOf(bytes)).state).toEqual(not(kind))
    })
  }
})

describe('the byte that decides', () => {
  const decided = (name: string, bytes: Buffer, at: number, expected: object) =>
    it(name, () => expect(read(...oneByOne(bytes))).toEqual({ state: expected, bytes: at }))
  const hello = helloFor(site)
  decided('the last of a hello', hello, hello.length, named('www.example.se'))
  decided('a major version', Buffer.from([0x16, 9, 1]), 2, not('not-tls'))
  decided('a record too large', Buffer.from([0x16, 3, 1, 0x41, 0]), 4, not('malformed'))
  decided('a type of message', tlsRecord(message(helloBody(), { type: 2 })), 6, not('malformed'))
  decided('16 MiB promised', Buffer.from([0x16, 3, 1, 0, 9, 1, 1, 0, 0]), 7, not('incomplete'))
  const two = tlsRecord(Buffer.concat([message(helloBody()), message(helloBody())]))
  decided('two in one record', two, 9, not('malformed'))
})

describe('the limit', () => {
  const most = HELLO_BYTES_MAX
  it('is on what has come, however it is cut', () => {
    const tiny = tlsRecords(paddedTo(16_384), 1)
    expect(read(copyOf(tiny))).toMatchObject({ state: not('incomplete') })
    expect(read(...oneByOne(tiny))).toEqual({ state: not('incomplete'), bytes: most })
  })
  it('holds the longest hello that it can hold', () => {
    const body = most - 4 * 5
    expect(read(tlsRecords(paddedTo(body), 16_384)).state).toEqual(named('www.example.se'))
    expect(read(tlsRecords(paddedTo(body + 1), 16_384)).state).toEqual(not('incomplete'))
  })
  it('is met at once by a promise of more', () => {
    const header = Buffer.concat([Buffer.from([0x16, 3, 1, 0x40, 0, 1]), number(3, most - 8)])
    expect(read(copyOf(header)).state).toEqual(not('incomplete'))
    header.writeUIntBE(most - 9, 6, 3)
    expect(read(copyOf(header)).state).toBe('more')
  })
})

describe('the end', () => {
  it('of nothing is nothing', () => {
    const reader = new HelloReader()
    expect(reader.push(Buffer.alloc(0))).toBe('more')
    expect(reader.end()).toBeNull()
  })
  it('of a part is incomplete', () => {
    const reader = new HelloReader()
    expect(reader.push(helloFor(site).subarray(0, 50))).toBe('more')
    expect(reader.end()).toEqual(not('incomplete'))
  })
})

/** `bytes` cut at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length]
  at.sort((a, b) => a - b)
  return at.slice(1).map((end, i) => copyOf(bytes.subarray(at[i], end)))
}

const samples = [
  helloFor(site),
  clientHello({ extensions: [GREASE, ech(), serverNames(site), PADDING] }),
  tlsRecords(message(helloBody()), 19),
  tlsRecords(paddedTo(20_000), 16_384),
  clientHello({ extensions: null }),
]
const places = fc.array(fc.nat(), { maxLength: 12 })

describe('whatever comes', () => {
  it('any cut of a hello says the same', () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), places, (bytes, at) => {
        expect(read(...cut(bytes, at)).state).toEqual(read(copyOf(bytes)).state)
      }),
    )
  })
  it('any cut of any mutation says the same', () => {
    const change = fc.tuple(fc.nat(), fc.nat(255))
    const changes = fc.array(change, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.constantFrom(...samples.slice(0, 3)), changes, places, (bytes, at, cuts) => {
        const mutated = copyOf(bytes)
        for (const [place, value] of at) mutated[place % mutated.length] = value
        const whole = read(copyOf(mutated)).state
        expect(read(...cut(mutated, cuts)).state).toEqual(whole)
        expect(read(...oneByOne(mutated)).state).toEqual(whole)
      }),
      { numRuns: 1_000 },
    )
  })
  it('any bytes are read to an answer', () => {
    const start = fc.constantFrom([], [0x16], [0x16, 3, 1, 0, 60, 1, 0, 0, 56])
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 200 }), (head, bytes) => {
        const { state } = read(Buffer.from([...head, ...bytes]))
        const kind = state === 'more' ? state : state.kind
        expect(['more', 'tls', 'not-tls', 'malformed', 'incomplete']).toContain(kind)
      }),
      { numRuns: 1_000 },
    )
  })
})
