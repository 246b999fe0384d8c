/**
 * Owns: a tunnel with a greeting, between a client and an origin that a test plays: for the tests of both.
 * Never: asserts anything.
 */
import type { Socket } from 'node:net'
import type { Engine } from '../../src/proxy/engine.ts'
import type { Flow } from '../../src/proxy/flow.ts'
import { Greeting } from '../../src/proxy/greeting.ts'
import { parseRequestHead } from '../../src/proxy/head.ts'
import { Tunnel } from '../../src/proxy/tunnel.ts'
import { helloBody, message, nameEntry, serverNames } from './client-hello.ts'
import { Reading } from './reading.ts'
import type { Wires } from './wires.ts'

/** The host of every CONNECT here. */
export const HOST = 'www.news.test'
/** A fatal alert, access_denied. */
export const ALERT = '\x15\x03\x03\x00\x02\x02\x31'

/** The message of a hello for `name`. */
export const helloOf = (name: string) =>
  message(helloBody({ extensions: [serverNames(nameEntry(name))] }))

export interface Stand {
  readonly client: Socket
  readonly fromOrigin: Socket
  readonly atClient: Reading
  readonly atOrigin: Reading
  readonly flow: Flow
  readonly greeting: Greeting
  readonly tunnel: Tunnel
  closes: number
}

export interface StandOptions {
  readonly wires: Wires
  readonly engine: Engine
  /** It came with the CONNECT. */
  readonly first?: Buffer
  readonly port?: number
}

/** A tunnel to HOST, as a client that is let in opens it. */
export async function openStand(options: StandOptions): Promise<Stand> {
  const { wires, engine, first = Buffer.alloc(0), port = 443 } = options
  const [client, origin] = [await wires.accept(), await wires.dial()]
  const text = `CONNECT ${HOST}:${port} HTTP/1.1\r\nHost: ${HOST}:${port}\r\n`
  const head = parseRequestHead(text, 200)
  if ('fault' in head) throw new Error(head.fault)
  const asker = engine.askerAt('127.0.0.1')
  const identified = await engine.identify(asker.zone, asker, null)
  const facts = engine.gather(head, asker, identified, null)
  const flow = engine.begin(head, asker, facts, engine.decide(facts).verdict)
  const greeting = new Greeting(engine, flow, facts)
  const stand: Stand = {
    client: client.peer,
    fromOrigin: origin.peer,
    atClient: new Reading(client.peer),
    atOrigin: new Reading(origin.peer),
    flow,
    greeting,
    tunnel: new Tunnel({
      ...{ client: client.wire, origin: origin.wire, flow, engine, greeting },
      onClose: () => stand.closes++,
    }),
    closes: 0,
  }
  stand.tunnel.start(first)
  return stand
}

export function said({ flow }: Stand) {
  const { hello, serverName, verdict, ending, bytesUp, bytesDown } = flow
  return { hello, serverName, verdict: verdict.action, ending, bytesUp, bytesDown }
}
