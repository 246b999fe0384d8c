/**
 * Owns: DNS servers on loopback for tests: dnsmasq with the names a test gives it, and sockets that are worse.
 * Never: asks another server, or reads the machine's own names.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathOf } from './programs.ts'

/** A system's folder that is not on everybody's path. */
const PROGRAM = pathOf('dnsmasq') ?? '/usr/sbin/dnsmasq'
export const hasDnsmasq = process.env.SLUSS_TEST_ALL === '1' || existsSync(PROGRAM)

const STARTS_MAX = 5

export interface DnsOptions {
  /** Of dnsmasq(8), without the hyphens: `host-record=a.test,127.0.0.5,30`. */
  readonly lines?: readonly string[]
  /** As in /etc/hosts: they may be changed. */
  readonly hosts?: string
  /** Time to live of `hosts`, in seconds. */
  readonly ttl?: number
}

export class DnsServer {
  readonly port: number
  readonly #folder: string
  readonly #child: ChildProcess
  /** What it was asked, as `A www.site.test`. */
  readonly asked: string[] = []

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port
    this.#folder = folder
    this.#child = child
  }

  static async start({ lines = [], hosts = '', ttl = 0 }: DnsOptions = {}): Promise<DnsServer> {
    const folder = mkdtempSync(join(tmpdir(), 'sluss-dns-'))
    writeFileSync(join(folder, 'hosts'), hosts)
    const names = [`addn-hosts=${join(folder, 'hosts')}`, `local-ttl=${ttl}`, 'local=/test/']
    const alone = ['no-hosts', 'no-resolv', 'cache-size=0', 'bind-interfaces', 'pid-file=']
    // It would become nobody, and the folder is ours.
    const root = process.getuid?.() === 0 ? ['user=root'] : []
    const told = ['keep-in-foreground', 'log-facility=-', 'log-queries']
    for (let i = 0; i < STARTS_MAX; i++) {
      const port = await freePort()
      const where = ['listen-address=127.0.0.1', `port=${port}`]
      const text = [...where, ...names, ...alone, ...root, ...told, ...lines].join('\n')
      writeFileSync(join(folder, 'conf'), `${text}\n`)
      const child = spawn(PROGRAM, [`--conf-file=${join(folder, 'conf')}`], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      const server = new DnsServer(port, folder, child)
      if (await server.#started()) return server
    }
    throw new Error('dnsmasq does not start')
  }

  /** How often `name` was asked for, of one kind (`A`, `AAAA`). */
  count(kind: string, name: string): number {
    return this.asked.filter((one) => one === `${kind} ${name}`).length
  }

  /** Other names in place of those of `hosts`; resolves when they are read. */
  async change(hosts: string): Promise<void> {
    writeFileSync(join(this.#folder, 'hosts'), hosts)
    const read = this.#said('read ')
    this.#child.kill('SIGHUP')
    await read
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await once(this.#child, 'exit')
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #started(): Promise<boolean> {
    let held = ''
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      held += text
      const lines = held.split('\n')
      held = lines.pop()!
      for (const line of lines) {
        const [, kind, name] = /query\[(\w+)\] (\S+) from/.exec(line) ?? []
        if (kind !== undefined) this.asked.push(`${kind} ${name}`)
      }
    })
    const ended = once(this.#child, 'exit').then(() => false)
    return Promise.race([this.#said('read ').then(() => true), ended])
  }

  /** Resolves when it has said `what`. */
  #said(what: string): Promise<void> {
    return new Promise((resolve) => {
      const hear = (text: string) => {
        if (!text.includes(what)) return
        this.#child.stderr!.off('data', hear)
        resolve()
      }
      this.#child.stderr!.on('data', hear)
    })
  }
}

/** A port that is free for TCP, and so most likely for UDP. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

export interface BadServer {
  readonly port: number
  /** Ports that it was asked from. */
  readonly from: readonly number[]
  close(): void
}

/** RFC 1035 section 4.1.1: the answer is the question with QR, RA and a code. */
const SERVFAIL = 2

/** A server that takes every question, and answers none or that it failed. */
export async function badServer(how: 'silent' | 'failing'): Promise<BadServer> {
  const socket = createSocket('udp4')
  const from: number[] = []
  socket.on('message', (question, { address, port }) => {
    from.push(port)
    if (how === 'silent') return
    const answer = Buffer.from(question)
    answer[2] = answer[2]! | 0x80
    answer[3] = 0x80 | SERVFAIL
    socket.send(answer, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { port: socket.address().port, from, close: () => socket.close() }
}
