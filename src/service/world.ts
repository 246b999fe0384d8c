/**
 * Owns: from a configuration and an image to the world of the proxy threads.
 * Never: gives away half a world: where the lists cannot be built, there is none.
 */
import type { Portal } from '../portal/portal.ts'
import type { World } from '../proxy/world.ts'
import type { Configuration } from './configuration.ts'
import type { BuiltImage } from './image-store.ts'

export function worldOf(
  { settings, users, policyOf }: Configuration,
  { image }: BuiltImage,
  version: number,
  portal: Pick<Portal, 'endpoints' | 'key'>,
): World {
  const { listen, limits, dns, log } = settings
  const { hosts, ...rules } = dns
  const { paths, onFailure, unacknowledged } = log
  return {
    policy: policyOf(version),
    image,
    users,
    listen: listen.proxy,
    portal: portal.endpoints,
    portalKey: portal.key,
    limits,
    log: { paths, onFailure, unacknowledged },
    dns: rules,
    hosts,
  }
}
