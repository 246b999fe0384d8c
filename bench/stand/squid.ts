/**
 * Owns: Squid, where it is installed, as a forward proxy that refuses a list of domains; or does the
 * whole job: sign-in, quota and log as well.
 * Never: outlives its bench, or is waited for without an end.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from './job.ts'
import type { Cores, Program } from './processes.ts'

const SQUID = '/usr/sbin/squid'
const HELPERS = '/usr/lib/squid'
const POLL_MS = 10
/** It takes as much as the system lets it. */
const DESCRIPTORS = 16_384

export function hasSquid(): boolean {
  return existsSync(SQUID)
}

export interface SquidOptions {
  /** For its settings and log. */
  readonly folder: string
  /** Domains, a line each, each with a dot before it; none may lie under another. */
  readonly list: string
  readonly timeoutMs: number
  /** Default: all. */
  readonly cores?: Cores
  /** Without it, only the list is refused. */
  readonly job?: { readonly files: Job['squid']; readonly originPort: number }
}

/** Resolves when it accepts connections; null: not within `timeoutMs`. Throws where it ends. */
export async function startSquid(
  options: SquidOptions,
): Promise<{ program: Program; proxyPort: number } | null> {
  const { folder, timeoutMs, cores } = options
  const proxyPort = await freePort()
  const log = join(folder, 'squid.log')
  const config = join(folder, 'squid.conf')
  writeFileSync(config, settingsOf(proxyPort, log, options))
  // Started by root it gives itself another user, who writes the log.
  chmodSync(folder, 0o777)
  const words = [SQUID, '-N', '-f', config]
  const pinned = cores === undefined ? words : ['taskset', '-c', String(cores), ...words]
  const child = spawn(pinned[0]!, pinned.slice(1), { stdio: 'ignore' })
  const program = { process: child, ready: '', stop: () => ended(child) }
  const untilMs = performance.now() + timeoutMs
  while (!(await accepts(proxyPort))) {
    if (child.exitCode !== null || child.signalCode !== null) {
      const said = existsSync(log) ? readFileSync(log, 'utf8').slice(-1_000) : ''
      throw new Error(`Squid has ended: ${said}`)
    }
    if (performance.now() > untilMs) {
      await program.stop()
      return null
    }
    await sleep(POLL_MS)
  }
  return { program, proxyPort }
}

function settingsOf(port: number, log: string, { folder, list, job }: SquidOptions): string {
  const rules = job === undefined ? 'http_access allow all\naccess_log none' : wholeJob(folder, job)
  return `http_port 127.0.0.1:${port}
max_filedescriptors ${DESCRIPTORS}
acl listed dstdomain "${list}"
http_access deny listed
${rules}
cache deny all
cache_store_log none
cache_log ${log}
pid_filename none
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
`
}

/** One line a request, as Debian's package has it; credentials and quota are asked for anew only in a while. */
export function accessLog(folder: string): string {
  return join(folder, 'squid-access.log')
}

function wholeJob(folder: string, { files, originPort }: NonNullable<SquidOptions['job']>): string {
  return `hosts_file ${files.hosts}
dns_nameservers 127.0.0.1
forwarded_for delete
auth_param basic program ${HELPERS}/basic_ncsa_auth ${files.users}
auth_param basic children 2 startup=1
auth_param basic realm bench
auth_param basic credentialsttl 2 hours
external_acl_type minutes ttl=60 children-max=1 %LOGIN ${HELPERS}/ext_time_quota_acl -b ${join(folder, 'squid-quota.db')} ${files.quota}
acl ports port ${originPort}
acl known proxy_auth REQUIRED
acl sites dstdomain "${files.sites}"
acl left external minutes
http_access deny !ports
http_access deny !known
http_access deny sites !left
http_access allow known
http_access deny all
access_log daemon:${accessLog(folder)} squid`
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** It has nothing to save: ended at once, where it would first take its list apart. */
function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}
