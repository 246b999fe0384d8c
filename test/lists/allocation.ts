/**
 * Owns: how many bytes of heap a lookup leaves behind, printed as JSON. It runs in a process of
 * its own: a test runner puts its own code between modules, and that code allocates.
 */
import { Lookup } from '../../src/lists/lookup.ts'
import { noLabels } from '../../src/policy/policy.ts'
import { imageOf, listOf } from './images.ts'

/** Passes before anything is measured: uncompiled code boxes numbers beyond 31 bits. */
const WARM_UP_PASSES = 500
const PASSES = 20

const domains = Array.from({ length: 1_000 }, (_, i) => `name${i}.example${i % 50}.com`)
const lookups = {
  domains: new Lookup(imageOf(listOf(...domains)).buffer),
  'top-level domains too': new Lookup(imageOf(listOf(...domains, '192.0.2.1', 'xxx')).buffer),
  'exceptions and networks': new Lookup(
    imageOf({
      ...listOf('example1.com', ...domains),
      exceptions: domains.map((domain) => `www.${domain}`),
      networks: ['192.0.2.0/25', '2001:db8::/32'],
      freedNetworks: ['192.0.2.16/28', '2001:db8:8000::/33'],
    }).buffer,
  ),
}
const asked = {
  listed: domains.map((domain) => `www.${domain}`),
  unlisted: domains.map((_, i) => `www.no${i}.example`),
  addresses: domains.map((_, i) => `192.0.2.${i & 255}`),
  'addresses of version 6': domains.map(
    (_, i) => `2001:db8:${(i * 97).toString(16)}::${i.toString(16)}`,
  ),
  'one label': domains.map((_, i) => `host${i}`),
}

const labels = noLabels()
const bytesPerLookup: Record<string, number> = {}

/** The smallest of several passes: the others hold what the measuring itself allocates. */
function measure(name: string, lookupsPerPass: number, pass: () => void): void {
  for (let i = 0; i < WARM_UP_PASSES; i++) pass()
  let smallest = Number.POSITIVE_INFINITY
  for (let i = 0; i < PASSES; i++) {
    const before = process.memoryUsage().heapUsed
    pass()
    const grown = process.memoryUsage().heapUsed - before
    // A collection in between makes it negative, and says nothing.
    if (grown >= 0) smallest = Math.min(smallest, grown / lookupsPerPass)
  }
  bytesPerLookup[name] = smallest
}

for (const [image, lookup] of Object.entries(lookups)) {
  for (const [kind, hosts] of Object.entries(asked)) {
    measure(`${image}, ${kind}, string`, hosts.length, () => {
      for (let i = 0; i < hosts.length; i++) lookup.match(hosts[i]!, labels)
    })
    const encoded = hosts.map((host) => new TextEncoder().encode(host))
    measure(`${image}, ${kind}, bytes`, encoded.length, () => {
      for (let i = 0; i < encoded.length; i++) {
        lookup.matchBytes(encoded[i]!, 0, encoded[i]!.length, labels)
      }
    })
  }
}
process.stdout.write(JSON.stringify(bytesPerLookup))
