/**
 * Owns: one connection of a client that means ill, and how it was met; and what an attack is.
 * Never: lasts for longer than its patience.
 */
import { connect, type Socket } from 'node:net'
import type { Target } from './load.ts'

/** The limits that attacks go for, as they are set. */
export interface Bounds {
  readonly headTimeoutMs: number
  readonly tunnelIdleMs: number
  readonly slowestOverMs: number
  readonly connectionsPerAddress: number
  readonly connectionsPerUser: number
  readonly tunnels: number
  readonly connections: number
  readonly failedLogins: number
  /** Beyond what a limit gives, until it is said to have been met by nothing. */
  readonly graceMs: number
}

export interface Ground {
  /** Its logins are of users who take no part in honest traffic. */
  readonly target: Target
  readonly bounds: Bounds
  /** Of honest traffic: what stands while an attack is under way. */
  readonly standing: { readonly tunnels: number }
}

export interface Attack {
  readonly name: string
  /** Of the limit that should meet it; empty: there is no counter of its own. */
  readonly reason: string
  /** How each connection was met: a status, `closed`, `reset`, or `open` after all its patience. */
  run(ground: Ground): Promise<string[]>
}

/** For what is answered at once. */
export const QUICK_MS = 10_000

export interface Attempt {
  readonly port: number
  readonly from: string
  /** Called once it is connected. */
  readonly start: (socket: Socket) => void
  readonly patienceMs: number
  /** With its first bytes; default: it waits to be closed. */
  readonly answered?: (socket: Socket) => void
}

/** One connection, until it is closed or has had patience enough; then it is cut. */
export function attempt({ port, from, start, patienceMs, answered }: Attempt): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true })
    let status = ''
    let end = 'closed'
    const timer = setTimeout(() => {
      end = 'open'
      socket.destroy()
    }, patienceMs)
    socket.once('connect', () => start(socket))
    socket.on('data', (bytes) => {
      if (status !== '') return
      status = bytes.toString('latin1', 9, 12)
      answered?.(socket)
    })
    socket.on('error', () => {
      end = 'reset'
    })
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(status === '' ? end : status)
    })
  })
}

export function many(count: number, one: (i: number) => Promise<string>): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => one(i)))
}

/** Sends `bytes` every so often until it is closed. */
export function drip(socket: Socket, everyMs: number, bytes: string): void {
  const timer = setInterval(() => socket.write(bytes), everyMs)
  socket.once('close', () => clearInterval(timer))
}
