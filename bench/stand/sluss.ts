/**
 * Owns: a Sluss for a bench, as a process: given lists, one proxy thread or more, loopback allowed.
 * Never: measures.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cores, type Program, pathOf, startProgram } from './processes.ts'

const MINUTES_OF_DAY = 1_440

export interface SlussOptions {
  /** For its settings and state; what lies there from an earlier start is used. */
  readonly folder: string
  readonly cores: Cores
  readonly originPort: number
  /** Files of domains that are blocked, each a category of its own. */
  readonly lists: readonly string[]
  /** Names that are found at 127.0.0.1. */
  readonly hosts?: readonly string[]
  /** Who signs in; without it each address is a user. */
  readonly users?: string
  /** Sites that cost minutes, of which there are as many as a day has; default: those shipped, 60. */
  readonly platforms?: string
  /** Proxy threads; default 1. */
  readonly threads?: number
  /** Users stand in the log by name; default: under a pseudonym, as shipped. */
  readonly named?: boolean
  /** By their names in the settings; default: as shipped. */
  readonly limits?: Readonly<Record<string, number | string>>
}

export interface Sluss {
  readonly program: Program
  readonly proxyPort: number
  readonly state: string
  /** As the line says that it prints when it serves. */
  readonly domains: number
}

export async function startSluss(options: SlussOptions): Promise<Sluss> {
  const config = join(options.folder, 'sluss.yaml')
  mkdirSync(options.folder, { recursive: true })
  writeFileSync(config, settingsOf(options))
  const args = ['start', '--config', config]
  const program = await startProgram(options.cores, pathOf('src/cli/main.ts'), args)
  const found = /proxy=\S+:(\d+) .*domains=(\d+)/.exec(program.ready)
  if (found === null) throw new Error(`Sluss said ${program.ready}`)
  const state = join(options.folder, 'state')
  return { program, state, proxyPort: Number(found[1]), domains: Number(found[2]) }
}

/** Lists that are shipped, to be blocked. */
export function shippedLists(): string[] {
  return ['porn', 'racism', 'gambling', 'evasion'].map((name) => pathOf(`config/lists/${name}.txt`))
}

function settingsOf(options: SlussOptions): string {
  const { originPort, lists, hosts = [], users, platforms, threads = 1, limits = {} } = options
  const blocked = lists.map((file, i) => {
    return `  blocked-${i}: { action: block, lists: [${JSON.stringify(file)}] }\n`
  })
  const fixed = hosts.map((host) => `    ${host}: 127.0.0.1\n`)
  const bounds = Object.entries(limits).map(([name, value]) => `  ${name}: ${value}\n`)
  const identify = users === undefined ? 'address' : 'basic'
  const minutes = platforms === undefined ? 60 : MINUTES_OF_DAY
  const log = options.named === true ? 'log: { identities: name }\n' : ''
  return `version: 1
state: state
listen: { proxy: 127.0.0.1:0 }
threads: ${threads}
zones: [{ name: local, networks: [127.0.0.0/8], identify: ${identify} }]
${users === undefined ? '' : `identity: { basic: { users: ${JSON.stringify(users)} } }\n`}categories:
${blocked.join('')}  social: { action: quota, minutes: ${minutes}, platforms: all }
platforms: ${JSON.stringify(platforms ?? pathOf('config/platforms.yaml'))}
neverBlock: ${JSON.stringify(pathOf('config/lists/never-block.txt'))}
ports: { connect: [${originPort}], http: [${originPort}] }
addresses: { allow: [127.0.0.0/8] }
${log}${bounds.length === 0 ? '' : `limits:\n${bounds.join('')}`}${
  fixed.length === 0 ? '' : `dns:\n  hosts:\n${fixed.join('')}`
}`
}
