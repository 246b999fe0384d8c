/**
 * Owns: clients that mean ill: each attack tries one limit, from an address that honest traffic does
 * not come from, and tells what it was met with.
 * Never: lasts for longer than its patience, or opens more than it says.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { basic } from './job.ts'
import { authorityOf, requestHead, type Target } from './load.ts'

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

/** Each from its own, so that one attack's limit is not met by another. */
const FROM = {
  slow: '127.0.0.11',
  giant: '127.0.0.12',
  flood: '127.0.0.13',
  user: '127.0.0.14',
  silent: '127.0.0.15',
  login: '127.0.0.16',
  abort: '127.0.0.17',
  tunnels: '127.0.0.18',
  fill: ['127.0.0.21', '127.0.0.22', '127.0.0.23', '127.0.0.24'],
} as const

const SOME = 20
const BEYOND = 40
const AT_A_TIME = 500
const BIG_BYTES = 50_000_000
const QUICK_MS = 10_000

interface Attempt {
  readonly port: number
  readonly from: string
  /** Called once it is connected. */
  readonly start: (socket: Socket) => void
  readonly patienceMs: number
  /** With its first bytes; default: it waits to be closed. */
  readonly answered?: (socket: Socket) => void
}

/** One connection, until it is closed or has had patience enough; then it is cut. */
function attempt({ port, from, start, patienceMs, answered }: Attempt): Promise<string> {
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

function many(count: number, one: (i: number) => Promise<string>): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => one(i)))
}

/** Sends `bytes` every so often until it is closed. */
function drip(socket: Socket, everyMs: number, bytes: string): void {
  const timer = setInterval(() => socket.write(bytes), everyMs)
  socket.once('close', () => clearInterval(timer))
}

const slowHeads: Attack = {
  name: 'heads that never end',
  reason: 'head-timeout',
  run: ({ target, bounds }) => {
    return many(SOME, () => {
      return attempt({
        ...{ port: target.proxyPort, from: FROM.slow },
        patienceMs: bounds.headTimeoutMs + bounds.graceMs,
        start: (socket) => {
          socket.write('GET http://')
          drip(socket, 100, 'a')
        },
      })
    })
  },
}

const silence: Attack = {
  name: 'connections that say nothing',
  reason: '',
  run: ({ target, bounds }) => {
    return many(SOME, () => {
      return attempt({
        ...{ port: target.proxyPort, from: FROM.silent },
        patienceMs: bounds.headTimeoutMs + bounds.graceMs,
        start: () => {},
      })
    })
  },
}

function giant(name: string, reason: string, head: (target: Target) => string): Attack {
  return {
    name,
    reason,
    run: ({ target }) => {
      return many(SOME, () => {
        return attempt({
          ...{ port: target.proxyPort, from: FROM.giant, patienceMs: QUICK_MS },
          start: (socket) => socket.write(head(target)),
        })
      })
    },
  }
}

const giants: readonly Attack[] = [
  giant('heads of 256 KiB', 'head-too-large', (target) => {
    return `GET http://${authorityOf(target, 0)}/ HTTP/1.1\r\nX: ${'a'.repeat(256 * 1_024)}\r\n\r\n`
  }),
  giant('heads of 5,000 fields', 'head-too-large', (target) => {
    return `GET http://${authorityOf(target, 0)}/ HTTP/1.1\r\n${'X: a\r\n'.repeat(5_000)}\r\n`
  }),
  giant('request lines of 40 KiB', 'request-line-too-long', (target) => {
    return `GET http://${authorityOf(target, 0)}/${'a'.repeat(40 * 1_024)} HTTP/1.1\r\n\r\n`
  }),
  giant('two lengths', 'framing-conflict', (target) => {
    return `POST http://${authorityOf(target, 0)}/ HTTP/1.1\r\nHost: ${authorityOf(target, 0)}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  }),
]

const halfTunnels: Attack = {
  name: 'tunnels that say nothing',
  reason: '',
  run: ({ target, bounds }) => {
    return many(SOME, async (i) => {
      const head = requestHead(target, i, `CONNECT ${authorityOf(target, i)}`)
      const from = FROM.silent
      const patienceMs = bounds.tunnelIdleMs + bounds.graceMs
      let closed = true
      const met = await attempt({
        ...{ port: target.proxyPort, from, patienceMs },
        start: (socket) => {
          socket.write(head)
          const timer = setTimeout(() => {
            closed = false
          }, patienceMs - 100)
          socket.once('close', () => clearTimeout(timer))
        },
      })
      return `${met}, then ${closed ? 'closed' : 'open'}`
    })
  },
}

const slowReaders: Attack = {
  name: 'readers that do not read',
  reason: 'client-too-slow',
  run: ({ target, bounds }) => {
    return many(SOME, async (i) => {
      const line = `GET http://${authorityOf(target, i)}/bytes/${BIG_BYTES}`
      return await unread(
        target,
        requestHead(target, i, line),
        bounds.slowestOverMs + bounds.graceMs,
      )
    })
  },
}

/** Takes the first bytes of an answer, and then none; what comes once it looks again tells. */
async function unread(target: Target, head: Buffer, lookAwayMs: number): Promise<string> {
  const port = target.proxyPort
  const socket = connect({ port, host: '127.0.0.1', localAddress: FROM.slow })
  socket.on('error', () => {})
  socket.write(head)
  let taken = 0
  let first: () => void = () => {}
  const begun = new Promise<void>((resolve) => {
    first = resolve
  })
  const closed = new Promise<'cut'>((resolve) => socket.once('close', () => resolve('cut')))
  socket.on('data', (bytes) => {
    taken += bytes.length
    first()
  })
  await Promise.race([begun, closed])
  socket.pause()
  await sleep(lookAwayMs)
  socket.resume()
  // Cut, it gets what the system still held, and its end; else the rest.
  const met = await Promise.race([closed, sleep(1_000, 'open' as const)])
  socket.destroy()
  return met === 'cut' && taken < BIG_BYTES ? 'closed' : 'open'
}

const slowBodies: Attack = {
  name: 'bodies a byte at a time',
  reason: 'client-too-slow',
  run: ({ target, bounds }) => {
    return many(SOME, (i) => {
      const authority = authorityOf(target, i)
      const login = target.logins[i % target.logins.length]
      return attempt({
        ...{ port: target.proxyPort, from: FROM.slow },
        patienceMs: bounds.slowestOverMs * 2 + bounds.graceMs,
        start: (socket) => {
          socket.write(
            `PUT http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nProxy-Authorization: ${login}\r\nContent-Length: 1000000\r\n\r\n`,
          )
          drip(socket, 250, 'a')
        },
      })
    })
  },
}

const wrongPasswords: Attack = {
  name: 'wrong passwords',
  reason: 'logins-of-address',
  run: async ({ target, bounds }) => {
    const met: string[] = []
    for (let i = 0; i < bounds.failedLogins + SOME; i++) {
      const logins = [basic('anna0', `guess ${i} ${Math.random()}`)]
      const head = requestHead({ ...target, logins }, i, `GET http://${authorityOf(target, i)}/`)
      met.push(
        await attempt({
          ...{ port: target.proxyPort, from: FROM.login, patienceMs: QUICK_MS },
          start: (socket) => socket.write(head),
          answered: (socket) => socket.destroy(),
        }),
      )
    }
    return met
  },
}

const aborted: Attack = {
  name: 'transfers that are cut',
  reason: '',
  run: async ({ target }) => {
    const attack = (start: (socket: Socket) => void) => {
      return attempt({
        ...{ port: target.proxyPort, from: FROM.abort, patienceMs: QUICK_MS, start },
        answered: (socket) => socket.resetAndDestroy(),
      })
    }
    const downloads = many(SOME, (i) => {
      const head = requestHead(target, i, `GET http://${authorityOf(target, i)}/bytes/${BIG_BYTES}`)
      return attack((socket) => socket.write(head))
    })
    const uploads = many(SOME, (i) => {
      return attack((socket) => {
        const authority = authorityOf(target, i)
        const login = target.logins[i % target.logins.length]
        socket.write(
          `PUT http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nProxy-Authorization: ${login}\r\nContent-Length: 1000000\r\n\r\n${'a'.repeat(100_000)}`,
          () => socket.resetAndDestroy(),
        )
      })
    })
    const tunnels = many(SOME, (i) => {
      const head = requestHead(target, i, `CONNECT ${authorityOf(target, i)}`)
      return attack((socket) => socket.write(head))
    })
    return (await Promise.all([downloads, uploads, tunnels])).flat()
  },
}

/** What may be made at any time: honest traffic notices nothing of it. */
export const QUIET: readonly Attack[] = [
  slowHeads,
  silence,
  ...giants,
  halfTunnels,
  slowReaders,
  slowBodies,
  wrongPasswords,
  aborted,
]

/** Opens so many, some at a time, and keeps them until all have been met or stand; then cuts them. */
async function flood(
  count: number,
  target: Target,
  from: (i: number) => string,
  head: ((i: number) => Buffer) | null,
): Promise<string[]> {
  const open: Socket[] = []
  const met: string[] = []
  for (let begun = 0; begun < count; begun += AT_A_TIME) {
    const batch = Array.from({ length: Math.min(AT_A_TIME, count - begun) }, (_, i) => begun + i)
    met.push(
      ...(await Promise.all(
        batch.map((i) => standing(target.proxyPort, from(i), head?.(i) ?? null, open)),
      )),
    )
  }
  for (const socket of open) socket.destroy()
  return met
}

/** How long one that has said nothing is looked at. */
const LOOK_MS = 100

/** How a connection is met that is to be kept: it is in `open` where it stands. */
function standing(
  port: number,
  localAddress: string,
  head: Buffer | null,
  open: Socket[],
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    const met = (how: string) => {
      clearTimeout(timer)
      resolve(how)
    }
    const timer = setTimeout(() => met('open'), head === null ? LOOK_MS : QUICK_MS)
    open.push(socket)
    socket.once('connect', () => {
      if (head !== null) socket.write(head)
    })
    socket.once('data', (bytes) => met(bytes.toString('latin1', 9, 12)))
    socket.on('error', () => met('reset'))
    socket.once('close', () => met('closed'))
  })
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
      return flood(bounds.connectionsPerAddress + BEYOND, target, () => FROM.flood, null)
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
      return flood(room + BEYOND, target, from, null)
    },
  },
]
