/**
 * Owns: the reader of hellos beside a server that is met everywhere: what OpenSSL takes for a name, we read
 * as that name, or refuse to read. Otherwise a hello could say one thing to us and another to its server.
 */
import { Duplex } from 'node:stream'
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import { HelloReader, type HelloState } from '../../src/proxy/hello.ts'
import { ech, nameEntry, serverNames, tlsRecord } from './client-hello.ts'

const NAME = 'www.example.se'

/** One end of a wire: what is written to it goes to `onBytes`. */
const wire = (onBytes: (bytes: Buffer) => void) =>
  new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      onBytes(bytes)
      done()
    },
  })

/** The hello that Node's client, which is OpenSSL, begins with. */
function helloOfNode(maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = wire((bytes) => {
      resolve(Buffer.from(bytes))
      setImmediate(() => client.destroy())
    })
    const client = connect({ socket, servername: NAME, maxVersion })
    client.on('error', () => {})
  })
}

/** The name by which Node's server, which is OpenSSL, would choose a certificate; null: it never did. */
function nameForOpenssl(bytes: Buffer, secureContext: SecureContext): Promise<string | null> {
  return new Promise((resolve) => {
    const given = wire(() => resolve(null))
    const server = new TLSSocket(given, {
      isServer: true,
      secureContext,
      SNICallback: (name) => resolve(name),
    })
    for (const event of ['error', 'close']) server.on(event, () => resolve(null))
    server.resume()
    given.push(bytes)
    // All that comes of bytes that are there comes before the turn after the next.
    setImmediate(() =>
      setImmediate(() => {
        resolve(null)
        given.destroy()
        server.destroy()
      }),
    )
  })
}

type Change = (bytes: Buffer) => Buffer

const oddRecord = fc.constantFrom(
  Buffer.alloc(0),
  tlsRecord(Buffer.alloc(0)),
  tlsRecord(Buffer.from([1, 90]), { type: 0x15 }),
  tlsRecord(Buffer.from([1]), { type: 0x14 }),
)
const anywhere = fc.nat(600)
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(anywhere, fc.nat(255)).map(([at, value]) => (bytes: Buffer) => {
    bytes[at % bytes.length] = value
    return bytes
  }),
  // The name itself, and the lengths and types just before it.
  fc.tuple(fc.integer({ min: -9, max: 13 }), fc.nat(40)).map(([by, value]) => (bytes: Buffer) => {
    const at = bytes.indexOf(NAME)
    if (at > 9) bytes[at + by] = value
    return bytes
  }),
  // In other records, with what does not belong there between them.
  fc.tuple(fc.integer({ min: 1, max: 300 }), oddRecord).map(([size, odd]) => (bytes: Buffer) => {
    const records: Buffer[] = []
    for (let at = 5; at < bytes.length; at += size) {
      records.push(tlsRecord(bytes.subarray(at, at + size)), odd)
    }
    return Buffer.concat(records)
  }),
  oddRecord.map((odd) => (bytes: Buffer) => Buffer.concat([odd, bytes])),
  // One more extension at the end, all lengths seen to.
  fc
    .constantFrom(
      serverNames(nameEntry('b.se')),
      serverNames(nameEntry('b.se', 1)),
      ech(),
      serverNames(),
    )
    .map((more) => (bytes: Buffer) => {
      const ciphers = 44 + bytes[43]!
      if (ciphers + 2 > bytes.length) return bytes
      const at = ciphers + 2 + bytes.readUInt16BE(ciphers) + 2
      if (at + 2 > bytes.length) return bytes
      const grown = Buffer.concat([bytes, more])
      grown.writeUInt16BE((bytes.readUInt16BE(at) + more.length) & 0xffff, at)
      grown.writeUInt16BE((bytes.readUInt16BE(7) + more.length) & 0xffff, 7)
      grown.writeUInt16BE((bytes.readUInt16BE(3) + more.length) & 0xffff, 3)
      return grown
    }),
)

let hellos: Buffer[]
beforeAll(async () => {
  hellos = [await helloOfNode('TLSv1.3'), await helloOfNode('TLSv1.2')]
})

/** What we say of it where OpenSSL chose by `name`; bytes beyond ASCII each decodes in its own way. */
function agrees(state: HelloState, name: string): boolean {
  if (state === 'more') return false
  if (state.kind !== 'tls') return state.kind === 'malformed'
  return state.serverName === name || !/^[ -~]*$/.test(name)
}

it('what OpenSSL takes for a name is that name to us, or refused', async () => {
  const secureContext = createSecureContext()
  let taken = 0
  let read = 0
  await fc.assert(
    fc.asyncProperty(
      fc.nat(1),
      fc.array(change, { maxLength: 3 }),
      async (which, changes: Change[]) => {
        let bytes = Buffer.from(hellos[which]!)
        for (const apply of changes) bytes = Buffer.from(apply(bytes))
        const name = await nameForOpenssl(Buffer.from(bytes), secureContext)
        if (name === null) return
        taken++
        const state = new HelloReader().push(bytes)
        if (state !== 'more' && state.kind === 'tls') read++
        expect(agrees(state, name), `${JSON.stringify(state)} for ${name}`).toBe(true)
      },
    ),
    { numRuns: 1_500 },
  )
  // Most of what it takes is taken by us: else the test would say nothing.
  expect(taken).toBeGreaterThan(300)
  expect(read).toBeGreaterThan(taken * 0.7)
})
