/**
 * Owns: the job that Sluss and Squid both do in the bench: users who sign in, sites with a quota of
 * minutes, a long list of what is refused; as files for each.
 * Never: gives the one less to do than the other.
 */
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deriveScrypt, formatScrypt, LN_MIN } from '../../src/identity/scrypt.ts'
import { distinctNames } from '../domains.ts'
import { randomOf } from '../measure.ts'

const SEED = 20_261_121
const SITES = 16
const USERS = 16
const PASSWORD = 'vinter-och-var'

export interface Job {
  readonly folder: string
  /** Hosts of sites with a quota; none is listed. */
  readonly hosts: readonly string[]
  /** Values of Proxy-Authorization. */
  readonly logins: readonly string[]
  readonly domains: number
  /** A domain of the list. */
  readonly listed: string
  readonly sluss: {
    readonly list: string
    readonly users: string
    readonly platforms: string
  }
  readonly squid: {
    readonly list: string
    readonly users: string
    readonly sites: string
    readonly quota: string
    readonly hosts: string
  }
}

/** Writes the files of the job with so many listed domains. */
export async function writeJob(folder: string, domains: number): Promise<Job> {
  const at = (name: string) => join(folder, name)
  mkdirSync(folder, { recursive: true })
  // The names take a gigabyte: in a process of their own, that is gone when load is made.
  const words = [import.meta.filename, String(domains), at('plain.list'), at('squid.list')]
  const listed = execFileSync(process.execPath, words, { encoding: 'utf8' }).trim()
  const sites = siteNames()
  const users = Array.from({ length: USERS }, (_, i) => `anna${i}`)
  const kept = await cheapHash()
  const digest = createHash('md5').update(PASSWORD).digest('hex')
  const hosts = sites.map((name) => `www.${name}`)
  const lines = (items: readonly string[]) => items.map((item) => `${item}\n`).join('')
  const write = (name: string, text: string) => writeFileSync(at(name), text)
  write('users.txt', lines(users.map((user) => `${user}:${kept}`)))
  write('platforms.yaml', `sites:\n  title: Sites\n  domains: [${sites.join(', ')}]\n`)
  write('squid.users', lines(users.map((user) => `${user}:${digest}`)))
  write('squid.sites', lines(sites.map((name) => `.${name}`)))
  write('squid.quota', lines(users.map((user) => `${user} 24h / 1d`)))
  write('squid.hosts', lines(hosts.map((host) => `127.0.0.1 ${host}`)))
  return {
    ...{ folder, hosts, domains, listed },
    logins: users.map((user) => basic(user, PASSWORD)),
    sluss: { list: at('plain.list'), users: at('users.txt'), platforms: at('platforms.yaml') },
    squid: {
      ...{ list: at('squid.list'), users: at('squid.users'), sites: at('squid.sites') },
      ...{ quota: at('squid.quota'), hosts: at('squid.hosts') },
    },
  }
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

/** What is measured is who has signed in already: the first time need not take its 60 ms. */
async function cheapHash(): Promise<string> {
  const cost = { ln: LN_MIN, r: 8, p: 1 }
  const salt = randomBytes(16)
  return formatScrypt({ cost, salt, hash: await deriveScrypt(PASSWORD, salt, 32, cost) })
}

function siteNames(): string[] {
  return distinctNames(randomOf(SEED + 1), SITES)
}

/** Both lists hold the same names, none under another: Squid would refuse to start. */
function writeLists(domains: number, plain: string, dotted: string): void {
  const names = distinctNames(randomOf(SEED), domains, new Set(siteNames()))
  writeFileSync(plain, `${names.join('\n')}\n`, 'latin1')
  writeFileSync(dotted, `.${names.join('\n.')}\n`, 'latin1')
  process.stdout.write(`${names[domains >>> 1]}\n`)
}

if (import.meta.main) {
  const [domains, plain, dotted] = process.argv.slice(2)
  writeLists(Number(domains), plain!, dotted!)
}
