/**
 * Owns: what the system says of names beside DNS: /etc/hosts, and the search domains of /etc/resolv.conf.
 * Never: asks DNS; waits for anything but two small files of the machine.
 */
import { readFileSync, statSync } from 'node:fs'
import { type Host, parseAddress, parseHost } from '../policy/index.ts'

export interface SystemFiles {
  readonly hosts: string
  readonly resolv: string
}

export const SYSTEM_FILES: SystemFiles = { hosts: '/etc/hosts', resolv: '/etc/resolv.conf' }

/** Of either file; one that is longer is passed over, and told. */
const FILE_BYTES_MAX = 1_048_576
/** As many as the resolver of older systems takes (resolv.conf(5)). */
const SEARCH_MAX = 6

export class SystemNames {
  /** Addresses by host, in the order of the file. */
  hosts: ReadonlyMap<Host, readonly string[]> = new Map()
  /** Domains that are tried behind a name without a dot, in order. */
  search: readonly Host[] = []
  readonly #files: SystemFiles
  readonly #alarm: (what: string, hint: string) => void
  readonly #stamps = new Map<string, string>()

  constructor(files: SystemFiles, alarm: (what: string, hint: string) => void) {
    this.#files = files
    this.#alarm = alarm
  }

  /** Reads what has changed since the last look; true where anything has. Costs some microseconds where not. */
  look(): boolean {
    const hosts = this.#changed(this.#files.hosts)
    if (hosts !== null) this.hosts = parseHosts(hosts)
    const resolv = this.#changed(this.#files.resolv)
    if (resolv !== null) this.search = parseSearch(resolv)
    return hosts !== null || resolv !== null
  }

  /** The text of a file that is another than at the last look; empty where it is gone. */
  #changed(path: string): string | null {
    let stamp = 'none'
    let text = ''
    try {
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat !== undefined) stamp = `${stat.ino} ${stat.mtimeMs} ${stat.size}`
      if (stamp === this.#stamps.get(path)) return null
      this.#stamps.set(path, stamp)
      if (stat !== undefined && (!stat.isFile() || stat.size > FILE_BYTES_MAX)) {
        this.#passOver(path, 'it is no file, or too long', `at most ${FILE_BYTES_MAX} bytes`)
        return null
      }
      if (stat !== undefined) text = readFileSync(path, 'utf8')
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException
      if (this.#stamps.get(path) === code) return null
      this.#stamps.set(path, code)
      this.#passOver(path, code, 'see who may read it')
      return null
    }
    return text
  }

  #passOver(path: string, why: string, hint: string): void {
    this.#alarm(`${path} is not read: ${why}; what it said before stays`, hint)
  }
}

/** hosts(5): an address, and its names; a name on several lines has all their addresses. */
export function parseHosts(text: string): Map<Host, readonly string[]> {
  const hosts = new Map<Host, string[]>()
  for (const line of text.split('\n')) {
    const comment = line.indexOf('#')
    const [address, ...names] = (comment < 0 ? line : line.slice(0, comment)).trim().split(/\s+/)
    if (address === undefined || parseAddress(address) === null) continue
    for (const name of names) {
      const parsed = parseHost(name)
      if (typeof parsed === 'string' || parsed.address !== null) continue
      const addresses = hosts.get(parsed.host) ?? []
      if (addresses.length === 0) hosts.set(parsed.host, addresses)
      if (!addresses.includes(address)) addresses.push(address)
    }
  }
  return hosts
}

/** resolv.conf(5): the last line of `search` or `domain` holds. */
export function parseSearch(text: string): Host[] {
  let domains: string[] = []
  for (const line of text.split('\n')) {
    const [key, ...values] = line.trim().split(/\s+/)
    if (key === 'search') domains = values
    else if (key === 'domain') domains = values.slice(0, 1)
  }
  const search: Host[] = []
  for (const domain of domains) {
    const parsed = parseHost(domain)
    if (typeof parsed === 'string' || parsed.address !== null) continue
    if (!search.includes(parsed.host)) search.push(parsed.host)
  }
  return search.slice(0, SEARCH_MAX)
}
