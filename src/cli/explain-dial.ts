/**
 * Owns: what `explain` can say of the way to an allowed host without asking a resolver: what its name is known
 * to be, by the proxy's own reading of the settings and of the system, and whether the guard lets anybody there.
 * Never: asks DNS, or connects.
 */
import {
  forbiddenWhy,
  formatAddress,
  isOwnListener,
  type Listener,
  type Policy,
  parseAddress,
} from '../policy/index.ts'
import { Names } from '../proxy/names.ts'
import type { SystemFiles } from '../proxy/system-names.ts'
import type { Settings } from '../settings/schema.ts'
import type { Asked } from './asked-host.ts'

export interface Surroundings {
  readonly settings: Pick<Settings, 'dns' | 'listen'>
  readonly policy: Pick<Policy, 'allowedAddresses'>
  /** Told of a file of the system that cannot be read. */
  readonly alarm: (what: string, hint: string) => void
  /** Default those of this machine. */
  readonly files?: SystemFiles
}

/** Why nobody gets there after the rules have allowed it. */
export interface Closed {
  readonly reason: 'address-forbidden' | 'name-not-found'
  readonly why: string
}

/** What closes the way to `asked`, as far as that is known without asking a resolver; else null. */
export function closedOf({ name, port }: Asked, surroundings: Surroundings): Closed | null {
  const { settings, policy, alarm, files } = surroundings
  const { hosts, ...rules } = settings.dns
  const now = () => performance.now()
  const names = new Names({ rules, hosts, now, alarm, ...(files && { files }) })
  const answer = names.lookup(name.host, now())
  if (answer === null) return null
  if (answer.outcome !== 'found') {
    return {
      reason: 'name-not-found',
      why: `${name.host} is never asked for: there is no such name`,
    }
  }
  const listeners = listenersOf(settings)
  const whys = answer.places.map(({ address }) => {
    const why = forbiddenWhy(address, port, policy.allowedAddresses, listeners)
    const text = formatAddress(address)
    return why === null ? null : `${text} is refused (${why}); addresses.allow does not name it`
  })
  if (whys.includes(null)) return null
  return { reason: 'address-forbidden', why: whys[0] ?? `${name.host} has no address` }
}

/** True where `asked` is an address and port of the proxy itself. */
export function isOwn({ name, port }: Asked, settings: Pick<Settings, 'listen'>): boolean {
  return name.address !== null && isOwnListener(name.address, port, listenersOf(settings))
}

function listenersOf({ listen }: Pick<Settings, 'listen'>): Listener[] {
  return [...listen.proxy, ...listen.portal].flatMap((endpoint) => {
    const address = parseAddress(endpoint.address)
    return address === null ? [] : [{ address, port: endpoint.port }]
  })
}
