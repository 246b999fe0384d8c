/**
 * Owns: the control socket: one JSON line in, one JSON line out, for commands on the same machine.
 * Never: listens on a network; the socket lies in the state folder, which only its owner may enter.
 */
import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'

export type Command = (request: Record<string, unknown>) => unknown

const REQUEST_BYTES_MAX = 65_536

export function controlPath(stateDir: string): string {
  return join(stateDir, 'control.sock')
}

/** True where a running service answers in this state folder. */
export function isRunning(stateDir: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(controlPath(stateDir))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

export class ControlSocket {
  readonly #path: string
  readonly #commands: Readonly<Record<string, Command>>
  readonly #server: Server

  constructor(stateDir: string, commands: Readonly<Record<string, Command>>) {
    this.#path = controlPath(stateDir)
    this.#commands = commands
    this.#server = createServer((socket) => this.#serve(socket))
  }

  /** Listens; false where another service does. A socket that a dead one left behind goes. */
  async listen(): Promise<boolean> {
    if (await this.#bind()) return true
    if (await isRunning(dirname(this.#path))) return false
    rmSync(this.#path, { force: true })
    return this.#bind()
  }

  /** False where the path is taken. */
  #bind(): Promise<boolean> {
    const server = this.#server
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE') resolve(false)
        else reject(error)
      }
      server.once('error', onError)
      server.listen(this.#path, () => {
        server.off('error', onError)
        chmodSync(this.#path, 0o600)
        resolve(true)
      })
    })
  }

  /** Ends it, and takes away the socket where it is ours. */
  close(): void {
    if (this.#server.listening) this.#server.close()
  }

  #serve(socket: Socket): void {
    let held = ''
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('data', (text: string) => {
      held += text
      if (held.length > REQUEST_BYTES_MAX) {
        socket.destroy()
        return
      }
      const end = held.indexOf('\n')
      if (end < 0) return
      const line = held.slice(0, end)
      held = ''
      void this.#answer(line).then((answer) => socket.end(`${JSON.stringify(answer)}\n`))
    })
  }

  async #answer(line: string): Promise<{ ok: boolean; result?: unknown; error?: string }> {
    try {
      const request = JSON.parse(line) as Record<string, unknown>
      const name = String(request.command)
      const command = Object.hasOwn(this.#commands, name) ? this.#commands[name] : undefined
      if (command === undefined) return { ok: false, error: `there is no command ${name}` }
      return { ok: true, result: (await command(request)) ?? null }
    } catch (error) {
      return { ok: false, error: error instanceof Error ? error.message : String(error) }
    }
  }
}
