/**
 * Owns: clients that mean ill, a few at a time: each attack tries one limit, from an address that
 * honest traffic does not come from, and tells what it was met with.
 * Never: takes what honest clients need; floods.ts does.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, attempt, drip, many, QUICK_MS } from './attempts.ts'
import { basic } from './job.ts'
import { authorityOf, requestHead, type Target } from './load.ts'

/** Each from its own, so that one attack's limit is not met by another. */
const FROM = {
  slow: '127.0.0.11',
  giant: '127.0.0.12',
  silent: '127.0.0.15',
  login: '127.0.0.16',
  abort: '127.0.0.17',
} as const

const SOME = 20
const BIG_BYTES = 50_000_000

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
