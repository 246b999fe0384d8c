/**
 * Owns: a client of plain bytes: heads sent as written, tunnels opened by CONNECT.
 * Never: repairs what a test gets wrong on purpose.
 */
import { createHash } from 'node:crypto'
import { connect, type Socket } from 'node:net'

export interface Reply {
  /** `HTTP/1.1 200 Connection established` */
  readonly line: string
  readonly status: number
  /** Lower-case names. */
  readonly fields: ReadonlyMap<string, string>
  readonly body: string
}

/** Sends `text` as it stands and reads until the proxy closes or `enough` has been read. */
export function send(port: number, text: string): Promise<Reply> {
  return sendFrom('127.0.0.1', { host: '127.0.0.1', port }, text)
}

/** As `send`, from the source address `localAddress`, which is what decides the zone. */
export function sendFrom(
  localAddress: string,
  target: { readonly host: string; readonly port: number },
  text: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...target, localAddress })
    let held = ''
    socket.setEncoding('latin1')
    socket.once('connect', () => socket.write(text, 'latin1'))
    socket.on('data', (part: string) => {
      held += part
      const reply = parseReply(held)
      if (reply === null || !isWhole(reply)) return
      socket.destroy()
      resolve(inUtf8(reply))
    })
    socket.once('error', reject)
    socket.once('close', () => {
      const reply = parseReply(held)
      if (reply === null) reject(new Error(`closed after ${JSON.stringify(held)}`))
      else resolve(inUtf8(reply))
    })
  })
}

export function parseReply(held: string): Reply | null {
  const end = held.indexOf('\r\n\r\n')
  if (end < 0) return null
  const [line = '', ...rest] = held.slice(0, end).split('\r\n')
  const fields = new Map(
    rest.map((field): [string, string] => {
      const colon = field.indexOf(':')
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
    }),
  )
  return { line, status: Number(line.split(' ')[1]), fields, body: held.slice(end + 4) }
}

/** The body as text, once all of its bytes are there. */
function inUtf8(reply: Reply): Reply {
  return { ...reply, body: Buffer.from(reply.body, 'latin1').toString('utf8') }
}

function isWhole({ fields, body }: Reply): boolean {
  const length = fields.get('content-length')
  if (length !== undefined) return body.length >= Number(length)
  return fields.get('transfer-encoding') !== 'chunked' || body.endsWith('0\r\n\r\n')
}

/** Opens a tunnel to `authority` (`host:port`); the socket is past the answer to CONNECT. */
export function openTunnel(
  port: number,
  authority: string,
  fields: readonly string[] = [],
): Promise<{ reply: Reply; socket: Socket }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...fields]
    socket.once('connect', () => socket.write(`${lines.join('\r\n')}\r\n\r\n`))
    let held = Buffer.alloc(0)
    const onClose = () => reject(new Error(`closed after ${JSON.stringify(held.toString())}`))
    const onData = (bytes: Buffer) => {
      held = Buffer.concat([held, bytes])
      const reply = parseReply(held.toString('latin1'))
      if (reply === null) return
      socket.off('data', onData)
      socket.off('close', onClose)
      socket.pause()
      const rest = held.subarray(held.indexOf('\r\n\r\n') + 4)
      if (rest.length > 0 && reply.status === 200) socket.unshift(rest)
      resolve({ reply, socket })
    }
    socket.on('data', onData)
    socket.once('error', reject)
    socket.once('close', onClose)
  })
}

/**
 * Reads `socket` to its end: how many bytes came, and their SHA-256. With `after`, counting begins behind
 * the first `after`, and what came before it is the `head`. Rejects where it is reset.
 */
export function digestOf(
  socket: Socket,
  after = '',
): Promise<{ head: string; length: number; hash: string }> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256')
    let head = ''
    let length = 0
    let counting = after === ''
    const count = (bytes: Buffer) => {
      length += bytes.length
      hash.update(bytes)
    }
    socket.on('data', (bytes: Buffer) => {
      if (counting) {
        count(bytes)
        return
      }
      head += bytes.toString('latin1')
      const at = head.indexOf(after)
      if (at < 0) return
      counting = true
      count(Buffer.from(head.slice(at + after.length), 'latin1'))
      head = head.slice(0, at + after.length)
    })
    socket.once('end', () => resolve({ head, length, hash: hash.digest('hex') }))
    socket.once('error', reject)
    socket.resume()
  })
}
