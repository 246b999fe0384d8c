/**
 * Owns: a certificate authority made by openssl for a test, and a proxy in this process that shows its
 * refusals by it.
 * Never: leaves loopback, or keeps a key on disk longer than it takes to read it.
 */
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, type SecureContext } from 'node:tls'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { TrafficRecord } from '../../src/policy/index.ts'
import { Engine } from '../../src/proxy/engine.ts'
import { Listeners } from '../../src/proxy/listen.ts'
import type { WriterPort } from '../../src/proxy/record.ts'
import { allocateTally } from '../../src/proxy/tally-memory.ts'
import type { TlsPages } from '../../src/proxy/tls-page.ts'
import { imageOf, listOf } from '../lists/images.ts'
import { FakeWriter } from './recording.ts'
import { openWorld } from './world.ts'

export interface Authority {
  /** PEM. */
  readonly certificate: string
  readonly context: SecureContext
  /** SHA-256 of the leaf's public key, base64: what Chromium is told to trust. */
  readonly leafKeyHash: string
}

/** An authority, and one leaf of it for `names`. */
export function makeAuthority(names: readonly string[]): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-ca-'))
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { stdio: 'pipe', cwd: folder })
  try {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const ca = ['-days', '2', '-subj', '/CN=Test CA', '-keyout', 'ca.key', '-out', 'ca.pem']
    const may = ['-addext', 'keyUsage=critical,keyCertSign']
    openssl('req', '-x509', ...curve, ...ca, ...may)
    const asked = ['-subj', `/CN=${names[0]}`, '-keyout', 'leaf.key', '-out', 'leaf.csr']
    openssl('req', ...curve, ...asked)
    const subject = names.map((name) => `DNS:${name}`).join(',')
    writeFileSync(at('ext'), `subjectAltName=${subject}\nextendedKeyUsage=serverAuth\n`)
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', '2', '-extfile', 'ext']
    openssl('x509', '-req', '-in', 'leaf.csr', '-out', 'leaf.pem', ...by)
    const leaf = readFileSync(at('leaf.pem'), 'utf8')
    const key = readFileSync(at('leaf.key'), 'utf8')
    const publicKey = new X509Certificate(leaf).publicKey.export({ type: 'spki', format: 'pem' })
    writeFileSync(at('public.pem'), publicKey)
    openssl('pkey', '-pubin', '-in', 'public.pem', '-outform', 'DER', '-out', 'public.der')
    openssl('dgst', '-sha256', '-binary', '-out', 'hash', 'public.der')
    return {
      certificate: readFileSync(at('ca.pem'), 'utf8'),
      context: createSecureContext({ key, cert: leaf }),
      leafKeyHash: readFileSync(at('hash')).toString('base64'),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A proxy that blocks `bad.test` and all under it. */
export class RefusingStand {
  readonly engine: Engine
  readonly listeners: Listeners
  readonly #writer = new FakeWriter()
  /** The clock that limits are kept by. */
  nowMs = 0
  port = 0

  private constructor(tlsPages: TlsPages | null) {
    const blocked = { porn: { action: 'block', lists: ['porn.txt'] } }
    const world = openWorld(1, { categories: blocked })
    this.engine = new Engine({
      world: { ...world, image: imageOf(listOf('bad.test')).buffer },
      run: 'run',
      ledger: new Ledger(Ledger.allocate(16)),
      tally: allocateTally(1),
      thread: 0,
      clock: Date.now,
      monotonic: () => this.nowMs,
      ask: () => {},
      alarm: () => {},
      tlsPages,
    })
    this.engine.recorder.connect(this.#writer as unknown as WriterPort)
    this.listeners = new Listeners(this.engine)
  }

  static async open(tlsPages: TlsPages | null): Promise<RefusingStand> {
    const stand = new RefusingStand(tlsPages)
    await stand.listeners.set(stand.engine.world.listen)
    stand.port = stand.listeners.endpoints[0]!.port
    return stand
  }

  /** What the log was told of exchanges that have ended. */
  get records(): TrafficRecord[] {
    this.engine.recorder.flush(true)
    const all = this.#writer.batches.flatMap(({ records }) => records)
    return all.filter(({ event }) => event !== 'opened')
  }

  /** Lets this time pass, for all limits. */
  pass(ms: number): void {
    this.nowMs += ms
    this.listeners.sweep(this.nowMs)
  }

  close(): void {
    this.listeners.close()
    for (const client of this.listeners.clients) client.wire.destroy()
  }
}
