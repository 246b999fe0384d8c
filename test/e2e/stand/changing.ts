/**
 * Owns: changing the files of a town while it serves, and seeing from outside what is in force.
 * Never: knows how the service notices.
 */
import { readFileSync } from 'node:fs'
import type { Town } from './town.ts'
import { send } from './tunnel.ts'

/** The kernel deals connections out to the threads by a hash: so many meet both, as good as always. */
const REQUESTS = 8

export const ALLOWED = ['HTTP/1.1 200 OK']
export const REFUSED = ['HTTP/1.1 403 This site is refused: porn']

/** A request for `host`; `fields` are further lines of its head. */
export function head(host: string, port: number, ...fields: string[]): string {
  const authority = `${host}:${port}`
  const lines = [`GET http://${authority}/hello HTTP/1.1`, `Host: ${authority}`, ...fields]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** The different first lines of the answers to requests for `host` on connections of their own. */
export async function answers(
  { sluss, http }: Town,
  host: string,
  port = sluss.port,
): Promise<string[]> {
  const text = head(host, http.port, 'Connection: close')
  const replies = await Promise.all(Array.from({ length: REQUESTS }, () => send(port, text)))
  return [...new Set(replies.map(({ line }) => line))]
}

/** Changes files, and waits until a policy that knows of it is in force on every thread. */
export async function change({ sluss }: Town, edit: () => void | Promise<void>): Promise<void> {
  const { policy } = await sluss.status()
  await edit()
  await sluss.policyAfter(policy)
}

/** The text of a list of `hosts`. */
export const list = (...hosts: string[]) => `# a list\n${hosts.join('\n')}\n`

type Edit = readonly [before: string, after: string]

/** Edits the settings as text: every `before` must be there. */
export function editSettings({ sluss }: Town, ...edits: readonly Edit[]): void {
  let text = readFileSync(sluss.config, 'utf8')
  for (const [before, after] of edits) {
    if (!text.includes(before)) throw new Error(`the settings have no ${before}`)
    text = text.replace(before, after)
  }
  sluss.write('sluss.yaml', text)
}
