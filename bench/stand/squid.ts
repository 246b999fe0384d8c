/**
 * Owns: Squid, where it is installed, as a forward proxy that refuses a list of domains.
 * Never: outlives its bench, or is waited for without an end.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from './processes.ts'

const SQUID = '/usr/sbin/squid'
const POLL_MS = 10

export function hasSquid(): boolean {
  return existsSync(SQUID)
}

export interface SquidOptions {
  /** For its settings and log. */
  readonly folder: string
  /** Domains, a line each, each with a dot before it; none may lie under another. */
  readonly list: string
  readonly timeoutMs: number
}

/** Resolves when it accepts connections; null: not within `timeoutMs`. Throws where it ends. */
export async function startSquid(
  options: SquidOptions,
): Promise<{ program: Program; proxyPort: number } | null> {
  const { folder, list, timeoutMs } = options
  const proxyPort = await freePort()
  const log = join(folder, 'squid.log')
  const config = join(folder, 'squid.conf')
  writeFileSync(config, settingsOf(proxyPort, list, log))
  // Started by root it gives itself another user, who writes the log.
  chmodSync(folder, 0o777)
  const child = spawn(SQUID, ['-N', '-f', config], { stdio: 'ignore' })
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

function settingsOf(port: number, list: string, log: string): string {
  return `http_port 127.0.0.1:${port}
acl listed dstdomain "${list}"
http_access deny listed
http_access allow all
cache deny all
access_log none
cache_store_log none
cache_log ${log}
pid_filename none
netdb_filename none
shutdown_lifetime 0 seconds
`
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
