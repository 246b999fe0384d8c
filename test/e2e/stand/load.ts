/**
 * Owns: clients that ask and ask: plain requests and tunnels, allowed and refused, as fast as they are answered.
 * Never: has more under way than it has clients.
 */
import type { Town } from './town.ts'
import { openTunnel, send } from './tunnel.ts'

const CLIENTS = 8

export class Load {
  /** Exchanges that went as they should. */
  done = 0
  /** What went wrong before `end` was called. */
  readonly faults: string[] = []
  readonly #town: Town
  readonly #clients: readonly Promise<void>[]
  #ending = false

  constructor(town: Town) {
    this.#town = town
    const kinds = [this.#get, this.#refused, this.#tunnel, this.#post]
    this.#clients = Array.from({ length: CLIENTS }, (_, i) =>
      this.#client(kinds[i % kinds.length]!),
    )
  }

  /** From now on nothing that goes wrong matters, and what has gone wrong is not tried again. */
  end(): void {
    this.#ending = true
  }

  /** Resolves when no client is at work any more. */
  async ended(): Promise<void> {
    this.end()
    await Promise.all(this.#clients)
  }

  async #client(exchange: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await exchange()
        this.done++
      } catch (error) {
        if (!this.#ending) this.faults.push(String(error))
        return
      }
      if (this.#ending) return
    }
  }

  readonly #get = () => this.#ask('news.test', 'GET', '', 200)
  readonly #post = () => this.#ask('www.news.test', 'POST', 'Content-Length: 0\r\n', 200)
  readonly #refused = () => this.#ask('bad.test', 'GET', '', 403)

  async #ask(host: string, method: string, fields: string, status: number): Promise<void> {
    const { sluss, http } = this.#town
    const authority = `${host}:${http.port}`
    const line = `${method} http://${authority}/hello HTTP/1.1\r\nHost: ${authority}\r\n`
    const reply = await send(sluss.port, `${line}${fields}\r\n`)
    if (reply.status !== status) throw new Error(`${host}: ${reply.line}`)
  }

  readonly #tunnel = async (): Promise<void> => {
    const { sluss, echo } = this.#town
    const { reply, socket } = await openTunnel(sluss.port, `face.test:${echo.port}`)
    if (reply.status !== 200) throw new Error(reply.line)
    socket.on('error', () => {})
    const echoed = new Promise<string>((resolve, reject) => {
      socket.once('data', (bytes: Buffer) => resolve(bytes.toString()))
      socket.once('close', () => reject(new Error('the tunnel was closed')))
      if (socket.destroyed) reject(new Error('the tunnel was closed at once'))
    })
    socket.write('echo')
    socket.resume()
    const text = await echoed.finally(() => socket.destroy())
    if (text !== 'echo') throw new Error(`the tunnel gave ${text}`)
  }
}
