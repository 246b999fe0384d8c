/**
 * Owns: a world of the data plane that lets everything pass: for tests of what carries it.
 * Never: reads a file.
 */
import { buildImage } from '../../src/lists/build.ts'
import type { World } from '../../src/proxy/world.ts'
import { compilePolicy } from '../../src/settings/compile.ts'
import { settingsSchema } from '../../src/settings/schema.ts'

/** Listens on one port of loopback, of the system's choice; `over` are settings beside those. */
export function openWorld(version = 1, over: Readonly<Record<string, unknown>> = {}): World {
  const settings = settingsSchema.parse({
    version: 1,
    listen: { proxy: '127.0.0.1:0' },
    zones: [{ name: 'local', networks: ['127.0.0.0/8'], identify: 'address' }],
    addresses: { allow: ['127.0.0.0/8'] },
    dns: { hosts: { 'origin.test': '127.0.0.1' } },
    ...over,
  })
  const image = buildImage([], { elapsedMs: () => 0 })
  if (image.kind !== 'built') throw new Error('an image of no lists cannot be built')
  const { hosts, ...dns } = settings.dns
  const { paths, onFailure, unacknowledged } = settings.log
  return {
    policy: compilePolicy({ settings, platforms: [], exemptions: [], version }),
    image: image.buffer,
    users: null,
    listen: settings.listen.proxy,
    portal: [],
    portalKey: 'key',
    limits: settings.limits,
    log: { paths, onFailure, unacknowledged },
    dns,
    hosts,
  }
}
