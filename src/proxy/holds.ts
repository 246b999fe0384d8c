/**
 * Owns: what one client connection holds of what is counted over all threads: its user's share, a tunnel.
 * Never: keeps any of it beyond the connection. Its address's share is the listener's (listen.ts).
 */
import type { Facts, Verdict } from '../policy/index.ts'
import { refuse } from '../policy/index.ts'
import type { Engine } from './engine.ts'
import type { RequestHead } from './head.ts'

const USER_FULL = refuse('connections-of-user', 'limits.connectionsPerUser')
const TUNNELS_FULL = refuse('tunnels-full', 'limits.tunnels')

export class Holds {
  readonly #engine: Engine
  /** Zone and name of the user whose share is held; empty: none. */
  #zone = ''
  #user = ''
  #userKey = 0
  #tunnel = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Takes what a request that was decided on needs. Not null: it is refused for want of it. */
  overLimit(facts: Facts, verdict: Verdict, head: RequestHead): Verdict | null {
    const { limits } = this.#engine.world
    if (!this.#takeUser(facts, limits.connectionsPerUser)) return USER_FULL
    if (verdict.action !== 'allow' || !(head.carriage === 'connect' || head.upgrade !== null)) {
      return null
    }
    this.#tunnel = this.#engine.tally.takeTunnel(limits.tunnels)
    return this.#tunnel ? null : TUNNELS_FULL
  }

  /** The tunnel did not come about. */
  releaseTunnel(): void {
    if (this.#tunnel) this.#engine.tally.giveTunnel()
    this.#tunnel = false
  }

  /** The connection is no more. */
  release(): void {
    this.releaseTunnel()
    this.#releaseUser()
  }

  /** A connection that changes its user changes whose share it is. */
  #takeUser({ identified, zone }: Facts, limit: number): boolean {
    if (!identified.known || identified.identity.kind !== 'user' || zone === null) return true
    const { user } = identified.identity
    if (user === this.#user && zone.name === this.#zone) return true
    this.#releaseUser()
    const { tally } = this.#engine
    const key = tally.keyOfUser(zone.name, user)
    if (!tally.take('user', key, limit)) return false
    this.#userKey = key
    this.#user = user
    this.#zone = zone.name
    return true
  }

  #releaseUser(): void {
    if (this.#user !== '') this.#engine.tally.give('user', this.#userKey)
    this.#user = ''
    this.#zone = ''
  }
}
