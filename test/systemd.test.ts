/**
 * Owns: that systemd takes our unit as it is meant, and is told when we serve.
 * Never: touches the systemd of this machine.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { has } from './e2e/stand/programs.ts'
import { runCommand, until } from './e2e/stand/sluss.ts'
import { buildTown, type Town } from './e2e/stand/town.ts'

const UNIT = fileURLToPath(new URL('../systemd/sluss.service', import.meta.url))
/** Where distributions keep their own units: those that ours waits for are among them. */
const UNITS_OF_SYSTEM = '/usr/lib/systemd/system'
/** Of ten, by systemd's own reckoning: below 2 is what it calls OK. */
const EXPOSURE_MAX = 2

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluss-root-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe.runIf(has('systemd-analyze'))('the unit', () => {
  /** A machine on which Sluss is installed as the unit says, with `unit` as its text. */
  function install(): void {
    cpSync(UNITS_OF_SYSTEM, join(root, UNITS_OF_SYSTEM), {
      recursive: true,
      verbatimSymlinks: true,
    })
    for (const program of ['opt/sluss/sluss', 'bin/kill']) {
      mkdirSync(dirname(join(root, program)), { recursive: true })
      writeFileSync(join(root, program), '#!/bin/sh\n', { mode: 0o755 })
    }
    mkdirSync(join(root, 'etc/systemd/system'), { recursive: true })
    cpSync(UNIT, join(root, 'etc/systemd/system/sluss.service'))
  }
  const verify = () =>
    runCommand('systemd-analyze', ['verify', '--man=no', `--root=${root}`, 'sluss.service'])

  it('has nothing that systemd would complain of', async () => {
    install()
    expect(await verify()).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('would be complained of, were it wrong', async () => {
    install()
    rmSync(join(root, 'opt/sluss/sluss'))
    const { code, stderr } = await verify()
    expect(code).toBe(1)
    expect(stderr).toContain('Command /opt/sluss/sluss is not executable')
  })

  it('leaves little to whoever breaks in', async () => {
    const args = ['security', '--offline=true', '--no-pager', UNIT]
    const { stdout } = await runCommand('systemd-analyze', args)
    const exposure = /exposure level for sluss\.service: ([\d.]+)/.exec(stdout)?.[1]
    expect(exposure).toBeDefined()
    expect(Number(exposure)).toBeLessThan(EXPOSURE_MAX)
  })
})

/** Prints each datagram that comes to the Unix socket it is given. */
const LISTEN = `
import json, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print(json.dumps('bound'), flush=True)
while True:
    print(json.dumps(listener.recv(4096).decode()), flush=True)
`

describe.runIf(has('systemd-notify') && has('python3'))('Type=notify', () => {
  let town: Town
  let listener: ChildProcess | null = null
  beforeEach(async () => {
    town = await buildTown({ start: false })
  })
  afterEach(async () => {
    await town.close()
    if (listener === null) return
    listener.kill()
    if (listener.exitCode === null && listener.signalCode === null) await once(listener, 'exit')
    listener = null
  })

  it('is told that we serve, as what process, and that we stop', async () => {
    const { sluss } = town
    const path = join(root, 'notify.sock')
    listener = spawn('python3', ['-c', LISTEN, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const heard: string[] = []
    const hear = (line: string) => heard.push(JSON.parse(line) as string)
    createInterface({ input: listener.stdout! }).on('line', hear)
    await until('it listens', () => heard.includes('bound'))
    await sluss.start({ launcher: true, env: { NOTIFY_SOCKET: path } })
    const said = (state: string) => heard.find((text) => text.includes(state))
    await until('READY=1 arrives', () => said('READY=1') !== undefined)
    const ready = said('READY=1')!.split('\n')
    expect(ready).toContain(`MAINPID=${sluss.pid}`)
    expect(ready).toContainEqual(expect.stringMatching(`^STATUS=ready proxy=${sluss.proxy}`))
    expect(said('STOPPING=1')).toBeUndefined()
    expect(await sluss.stop()).toBe(0)
    await until('STOPPING=1 arrives', () => said('STOPPING=1') !== undefined)
    expect(sluss.errors).not.toContain('systemd could not be told')
  })

  it('that nobody listens to is said aloud, and we serve all the same', async () => {
    const { sluss } = town
    await sluss.start({ launcher: true, env: { NOTIFY_SOCKET: join(root, 'none.sock') } })
    await until('it says so', () => sluss.errors.includes('systemd could not be told how we are'))
    expect((await sluss.status()).healthy).toBe(true)
  })
})
