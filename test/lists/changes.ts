/** Owns: made-up lists before and after a change, for what is said of them against a plain walk. */
import fc from 'fast-check'
import { parseNetwork } from '../../src/policy/address.ts'
import type { LabelTarget } from '../../src/policy/source.ts'
import { isAddress, PlainWalk, type TestList } from './images.ts'

const label = fc.constantFrom('a', 'b', 'www', 'bad', 'example-with-a-name')
const top = fc.constantFrom('com', 'se', 'co.uk')
export const host = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 3 }), top)
  .map(([labels, end]) => [...labels, end].join('.'))

/** Few, so that they lie in each other and side by side. */
const network = fc.constantFrom(
  ...['10.0.0.0/8', '10.0.0.0/9', '10.128.0.0/9', '10.1.0.0/16', '10.1.2.0/24', '10.1.2.3/32'],
  ...['2001:db8::/32', '2001:db8::/48', '2001:db8::7/128', '192.0.2.0/24', '192.0.2.0/32'],
)

const target: fc.Arbitrary<LabelTarget> = fc.oneof(
  fc.record({ kind: fc.constant('category' as const), bit: fc.nat({ max: 2 }) }),
  fc.record({ kind: fc.constantFrom('platform' as const, 'background' as const), bit: fc.nat(2) }),
  fc.constant({ kind: 'neverBlock' as const }),
  fc.record({ kind: fc.constant('exception' as const), bit: fc.nat(2), platforms: fc.nat(7) }),
)

const list = fc.record({
  target,
  domains: fc.array(host, { maxLength: 12 }),
  exceptions: fc.array(host, { maxLength: 3 }),
  networks: fc.array(network, { maxLength: 4 }),
  freedNetworks: fc.array(network, { maxLength: 2 }),
})

export const lists: fc.Arbitrary<TestList[]> = fc
  .array(list, { maxLength: 4 })
  .map((made) => made.map((one, i) => ({ ...one, name: `list ${i}` })))

/** The names that stand in the lists, single addresses among them. */
export function namesIn(made: readonly TestList[]): string[] {
  return made.flatMap(({ target: { kind }, domains, exceptions = [], ...rest }) => {
    const { networks = [], freedNetworks = [] } = rest
    // Nothing frees from never-block.
    const freed = kind === 'neverBlock' ? [] : [...exceptions, ...freedNetworks]
    return [...domains, ...networks, ...freed].flatMap((entry) => {
      const single = /^(.*)\/(?:32|128)$/.exec(entry)?.[1]
      if (single !== undefined && isAddress(single) && entry !== '2001:db8::/32') return [single]
      return entry.includes('/') ? [] : [entry]
    })
  })
}

/** The lists with what they say of networks alone: nothing of names and single addresses. */
export function networksOf(made: readonly TestList[]): TestList[] {
  const isWide = (text: string) => {
    const parsed = parseNetwork(text)
    return typeof parsed !== 'string' && parsed.prefix < 128
  }
  return made.map(({ name, target, networks = [], freedNetworks = [] }) => ({
    name,
    target,
    domains: [],
    networks: networks.filter(isWide),
    freedNetworks: freedNetworks.filter(isWide),
  }))
}

/** What a host gains and loses, said plainly; null where it stays as it is. */
export function plainChange(
  before: readonly TestList[],
  after: readonly TestList[],
): (name: string) => { caught: object; freed: object } | null {
  const walks = [new PlainWalk(before), new PlainWalk(after)]
  return (name) => {
    const [was, is] = walks.map((walk) => walk.labels(name))
    const minus = (a: NonNullable<typeof was>, b: NonNullable<typeof was>) => ({
      categories: a.categories & ~b.categories,
      platforms: a.platforms & ~b.platforms,
      neverBlock: a.neverBlock && !b.neverBlock,
    })
    const [caught, freed] = [minus(is!, was!), minus(was!, is!)]
    const nothing = JSON.stringify({ categories: 0, platforms: 0, neverBlock: false })
    const same = JSON.stringify(caught) === nothing && JSON.stringify(freed) === nothing
    return same ? null : { caught, freed }
  }
}
