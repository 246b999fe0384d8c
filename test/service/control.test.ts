import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { callService } from '../../src/cli/control.ts'
import { ControlSocket, controlPath, isRunning } from '../../src/service/control.ts'

let state: string
let open: ControlSocket[]
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'sluss-control-'))
  open = []
})
afterEach(() => {
  for (const socket of open) socket.close()
  rmSync(state, { recursive: true, force: true })
})

function control(name = 'one'): ControlSocket {
  const socket = new ControlSocket(state, {
    name: () => name,
    nothing: () => undefined,
    fail: () => {
      throw new Error('it cannot be done; try something else')
    },
    echo: (request) => request,
  })
  open.push(socket)
  return socket
}

const name = () => callService<string>(state, { command: 'name' })

describe('a control socket', () => {
  it('answers whoever may enter the folder, and nobody else', async () => {
    expect(await isRunning(state)).toBe(false)
    expect(await name()).toBeNull()
    expect(await control().listen()).toBe(true)
    expect(await isRunning(state)).toBe(true)
    expect(await name()).toBe('one')
    expect(statSync(controlPath(state)).mode & 0o777).toBe(0o600)
  })

  it('belongs to one service: a second one neither gets nor takes it', async () => {
    expect(await control().listen()).toBe(true)
    const second = control('two')
    expect(await second.listen()).toBe(false)
    second.close()
    expect(await name()).toBe('one')
  })

  it('that a dead service left behind goes to the next', async () => {
    const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', script, controlPath(state)])
    expect(existsSync(controlPath(state))).toBe(true)
    expect(await isRunning(state)).toBe(false)
    expect(await control('next').listen()).toBe(true)
    expect(await name()).toBe('next')
  })

  it('is gone when it is closed', async () => {
    const socket = control()
    await socket.listen()
    socket.close()
    expect(existsSync(controlPath(state))).toBe(false)
    expect(await name()).toBeNull()
  })

  it('tells what went wrong, in the words of the command', async () => {
    await control().listen()
    expect(await callService(state, { command: 'nothing' })).toBeNull()
    expect(await callService(state, { command: 'echo', user: 'åsa\n' })).toEqual({
      command: 'echo',
      user: 'åsa\n',
    })
    await expect(callService(state, { command: 'fail' })).rejects.toThrow(
      'it cannot be done; try something else',
    )
    for (const command of ['toString', '__proto__', '']) {
      const expected = `there is no command ${command}`
      await expect(callService(state, { command })).rejects.toThrow(expected)
    }
  })

  it('survives what is no request', async () => {
    await control().listen()
    for (const text of [
      'nonsense\n',
      'null\n',
      '7\n',
      '[]\n',
      `${'x'.repeat(100_000)}\n`,
      '\0\n',
    ]) {
      expect(await raw(text)).toMatch(/^(\{"ok":false,"error":.*\}\n)?$/)
    }
    expect(await name()).toBe('one')
  })
})

/** What comes back for `text`. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(controlPath(state))
    let held = ''
    socket.on('data', (bytes) => {
      held += bytes
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve(held))
    socket.write(text)
  })
}
