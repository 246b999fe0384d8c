/**
 * Owns: clients that mean ill in great numbers: each flood fills up what there is a limit on.
 * Never: opens more than the limit and a few beyond it, or keeps what it has opened.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, attempt, QUICK_MS } from './attempts.ts'
import { authorityOf, requestHead, type Target } from './load.ts'

/** Each from its own, and the last from several: it must not meet the limit of one address. */
const FROM = {
  address: '127.0.0.13',
  user: '127.0.0.14',
  tunnels: '127.0.0.18',
  fill: ['127.0.0.21', '127.0.0.22', '127.0.0.23', '127.0.0.24'],
} as const
/** More than the limit allows. */
const BEYOND = 40
const AT_A_TIME = 500
/** Between two looks whether there is room. */
const LOOK_MS = 100

/** Opens so many, some at a time, and keeps them until all have been met or stand; then cuts them. */
async function flood(
  count: number,
  target: Target,
  from: (i: number) => string,
  head: (i: number) => Buffer,
): Promise<string[]> {
  const open: Socket[] = []
  const met: string[] = []
  for (let begun = 0; begun < count; begun += AT_A_TIME) {
    const batch = Array.from({ length: Math.min(AT_A_TIME, count - begun) }, (_, i) => begun + i)
    met.push(
      ...(await Promise.all(batch.map((i) => standing(target.proxyPort, from(i), head(i), open)))),
    )
  }
  for (const socket of open) socket.destroy()
  return met
}

/** How a connection is met that is to be kept: it is in `open` where it stands. */
function standing(
  port: number,
  localAddress: string,
  head: Buffer,
  open: Socket[],
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    const met = (how: string) => {
      clearTimeout(timer)
      resolve(how)
    }
    const timer = setTimeout(() => met('open'), QUICK_MS)
    open.push(socket)
    socket.once('connect', () => socket.write(head))
    socket.once('data', (bytes) => met(bytes.toString('latin1', 9, 12)))
    socket.on('error', () => met('reset'))
    socket.once('close', () => met('closed'))
  })
}

/** From nobody in particular: who is let in is asked to sign in. */
function strangers(target: Target): (i: number) => Buffer {
  const nobody = { ...target, logins: [] }
  return (i) => requestHead(nobody, i, `GET http://${authorityOf(nobody, i)}/`)
}

/** Resolves when a tunnel can be opened again; throws where that takes too long. */
export async function roomAgain(target: Target): Promise<void> {
  const head = requestHead(target, 0, `CONNECT ${authorityOf(target, 0)}`)
  const untilMs = performance.now() + QUICK_MS
  for (;;) {
    const met = await attempt({
      ...{ port: target.proxyPort, from: FROM.tunnels, patienceMs: QUICK_MS },
      start: (socket) => socket.write(head),
      answered: (socket) => socket.destroy(),
    })
    // All that was cut has been seen by then, and not only the first.
    await sleep(LOOK_MS)
    if (met === '200') return
    if (performance.now() > untilMs) throw new Error(`there is no room again: ${met}`)
  }
}

/** One after the other: each fills something up. */
export const FLOODS: readonly (Attack & {
  /** While it lasts honest clients open no tunnels, or no connections at all: there is no room. */
  readonly leavesRoom: boolean
})[] = [
  {
    name: 'connections of one address',
    reason: 'connections-of-address',
    leavesRoom: true,
    run: ({ target, bounds }) => {
      return flood(
        bounds.connectionsPerAddress + BEYOND,
        target,
        () => FROM.address,
        strangers(target),
      )
    },
  },
  {
    name: 'connections of one user',
    reason: 'connections-of-user',
    leavesRoom: true,
    run: ({ target, bounds }) => {
      const one = { ...target, logins: target.logins.slice(0, 1) }
      const head = (i: number) => requestHead(one, i, `GET http://${authorityOf(one, i)}/`)
      return flood(bounds.connectionsPerUser + BEYOND, one, () => FROM.user, head)
    },
  },
  {
    name: 'tunnels in all',
    reason: 'tunnels-full',
    leavesRoom: false,
    run: ({ target, bounds, standing }) => {
      const head = (i: number) => requestHead(target, i, `CONNECT ${authorityOf(target, i)}`)
      const room = bounds.tunnels - standing.tunnels
      return flood(room + BEYOND, target, () => FROM.tunnels, head)
    },
  },
  {
    name: 'connections in all',
    reason: 'connections-full',
    leavesRoom: false,
    run: ({ target, bounds, standing }) => {
      const room = bounds.connections - standing.tunnels
      const from = (i: number) => FROM.fill[i % FROM.fill.length]!
      return flood(room + BEYOND, target, from, strangers(target))
    },
  },
]
