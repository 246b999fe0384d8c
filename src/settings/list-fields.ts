/**
 * Owns: the kinds of value that the settings of lists are made of: URLs, names, checksums, members.
 * Never: fetches anything; touches a file.
 */
import { written } from './fields.ts'
import { misread, type Reading, read } from './reading.ts'

export const LIST_NAME_LENGTH_MAX = 40
const URL_LENGTH_MAX = 2_000
const MEMBER_LENGTH_MAX = 200

/** The target of a list that feeds `neverBlock`; no category can have this name. */
export const NEVER_BLOCK = 'neverBlock'

const NAME = /^[a-z0-9][a-z0-9_-]*$/

/** The name of a list: also that of its folder in the state. */
export function listName(sample: string) {
  const expected = `a name of at most ${LIST_NAME_LENGTH_MAX} small letters a to z, digits, hyphens and underscores, such as ${sample}`
  return written({ kind: 'name', sample, pattern: NAME.source }, expected, (text) => {
    if (text === '') return misread('it is empty')
    if (text.length > LIST_NAME_LENGTH_MAX) return misread(`it has ${text.length} characters`)
    return NAME.test(text) ? read(text) : misread('it has other characters')
  })
}

/** An https URL without a user, a password or a fragment; its normal form afterwards. */
export function httpsUrl(sample: string) {
  const kind = { kind: 'https URL', sample, pattern: '^https://' }
  return written(kind, `an https URL, such as ${sample}`, readHttpsUrl)
}

function readHttpsUrl(text: string): Reading<string> {
  const url = readUrl(text)
  if (url === null) return misread(text === '' ? 'it is empty' : 'it is not a URL')
  if (url.protocol === 'http:') {
    return misread(
      'over http anyone on the way could change the list',
      'write https, or download it, and name it as file',
    )
  }
  if (url.protocol !== 'https:') return misread(`${url.protocol} is not https:`)
  if (url.username !== '' || url.password !== '') {
    return misread('it holds a user or a password', 'remove them: the URL stands in log and status')
  }
  if (url.hash !== '') return misread('it has a part after #', 'remove that part')
  return read(url.href)
}

/** The proxy that lists are fetched through: `http://proxy.kommun.se:8080`, with a user or without. */
export function proxyUrl(sample: string) {
  const kind = { kind: 'http URL', sample, pattern: '^https?://' }
  return written(kind, `the URL of a proxy, such as ${sample}`, (text) => {
    const url = readUrl(text)
    if (url === null) return misread(text === '' ? 'it is empty' : 'it is not a URL')
    if (!/^https?:$/.test(url.protocol)) return misread(`${url.protocol} is not http: or https:`)
    if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
      return misread('something stands after the port', 'end it with the port')
    }
    return read(url.href)
  })
}

function readUrl(text: string): URL | null {
  if (text.length > URL_LENGTH_MAX || /\s/.test(text)) return null
  return URL.parse(text)
}

const SHA256 = /^[0-9a-fA-F]{64}$/

/** A SHA-256 in hex; in small letters afterwards. */
export function sha256(sample: string) {
  const expected = 'a SHA-256: 64 digits and letters a to f'
  return written({ kind: 'SHA-256', sample, pattern: SHA256.source }, expected, (text) => {
    if (SHA256.test(text)) return read(text.toLowerCase())
    return misread(
      /^[0-9a-fA-F]*$/.test(text) ? `it has ${text.length}` : 'it has other characters',
    )
  })
}

const MEMBER = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/

/** In a folder or archive of several lists: the one that is meant. */
export function member(sample: string) {
  const expected = `the name of a list in the folder or archive, such as ${sample}`
  return written({ kind: 'name', sample, pattern: MEMBER.source }, expected, (text) =>
    MEMBER.test(text) && text.length <= MEMBER_LENGTH_MAX
      ? read(text)
      : misread(text === '' ? 'it is empty' : 'it is no name of a file or folder'),
  )
}

/** What of a list says where it comes from. */
export interface ListOrigin {
  readonly url?: string | undefined
  readonly file?: string | undefined
  readonly member?: string | undefined
}

const ENDINGS = /\.(?:tar|tgz|gz|zst|zip|txt|list|hosts|conf|zone|rpz)$/

/**
 * The name of a list that was given none: the last part of where it comes from, and its member.
 * `https://a.test/lists/Adult.tar.gz` is `adult`; empty where nothing of it can be a name.
 */
export function defaultListName({ url, file, member = '' }: ListOrigin): string {
  const address = url === undefined ? null : readUrl(url)
  const path = address?.pathname ?? file ?? ''
  let last = path.split('/').findLast((part) => part !== '' && !/^\.+$/.test(part)) ?? ''
  last = (last === '' ? (address?.hostname ?? '') : last).toLowerCase()
  while (ENDINGS.test(last)) last = last.replace(ENDINGS, '')
  return [last, member.split('/').at(-1)!.toLowerCase()]
    .map((part) => part.replace(/[^a-z0-9_]+/g, '-').replace(/^[-_]+|-+$/g, ''))
    .filter((part) => part !== '')
    .join('-')
    .slice(0, LIST_NAME_LENGTH_MAX)
}
