/**
 * Owns: asking a running service, over its control socket.
 * Never: starts one.
 */
import { connect } from 'node:net'
import { controlPath } from '../service/control.ts'

const ANSWER_TIMEOUT_MS = 30_000
const CLOSED_HINT = 'ask as the user that the service runs as, or with sudo'

interface Answer<T> {
  readonly ok: boolean
  readonly result?: T
  readonly error?: string
}

/** The service's answer, or null where none runs here. Throws what the service has against it. */
export function callService<T>(
  stateDir: string,
  request: { readonly command: string; readonly [field: string]: unknown },
): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const socket = connect(controlPath(stateDir))
    let held = ''
    socket.setEncoding('utf8')
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('the service is silent')))
    socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (text: string) => {
      held += text
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
      const closed = error.code === 'EACCES' || error.code === 'EPERM'
      if (absent) resolve(null)
      else if (closed) reject(new Error(`${stateDir} is closed to you: ${CLOSED_HINT}`))
      else reject(error)
    })
    socket.once('end', () => {
      socket.destroy()
      if (held === '') return reject(new Error('the service ended while it was asked'))
      const answer = JSON.parse(held) as Answer<T>
      if (answer.ok) resolve(answer.result ?? null)
      else reject(new Error(answer.error))
    })
  })
}
