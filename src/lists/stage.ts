/**
 * Owns: from a server or a file to a version that is here, checked against its digests and pending.
 * Never: builds, judges, or puts in force; settle.ts does.
 */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { open, readFile, rm } from 'node:fs/promises'
import { type Fetched, type FetchResult, fetchToFile } from './fetch.ts'
import { isWebPage } from './fetch-answer.ts'
import { diskTrouble } from './fetch-failure.ts'
import type { Route } from './fetch-route.ts'
import { type Holding, type ListVersion, NO_ATTEMPTS } from './library.ts'
import { CHECKSUM_BYTES_MAX, digestOf, fileNameOf, readDigest } from './published-digest.ts'
import type { RemoteList } from './remote.ts'
import type { Trouble } from './trouble.ts'
import {
  type ListOutcome,
  nowOf,
  outcomeOf,
  type Staged,
  type UpdateContext,
} from './update-run.ts'

/** Asks the server for the newest version. It is pending, unjudged, when this returns. */
export async function stageFetched(
  remote: RemoteList,
  route: Route,
  context: UpdateContext,
): Promise<Staged> {
  const { library } = context
  const { name } = remote
  const beganMs = nowOf(context)
  const holding = library.read(name)
  const known = knownOf(remote, holding)
  const part = library.newPart(name)
  const { bytesMax } = context.rules
  const hasDigest = remote.checksum !== null || remote.sha256 !== null
  const request = { url: remote.url, known, file: part, bytesMax, hasDigest }
  const result = await fetchToFile(request, fetchContext(context, route, name))
  const checked =
    result.kind === 'fetched' ? await check(remote, part, result, context, route) : null
  const trouble = result.kind === 'failed' ? result : checked
  noteAttempt(context, name, holding, { result, trouble })
  const durationMs = nowOf(context) - beganMs
  if (trouble !== null) {
    await rm(part, { force: true })
    const entriesBefore = holding.current?.entries ?? null
    const { what, hint } = trouble
    return outcomeOf(name, 'failed', { trouble: { what, hint }, entriesBefore, durationMs })
  }
  if (result.kind !== 'fetched') {
    return known === null || known === holding.current
      ? stillCurrent(context, name, holding, { beganMs, renewed: null })
      : { list: name, judged: remote, version: known, holding, beganMs }
  }
  const { sha256, bytes, etag, lastModified } = result
  const origin = { how: 'fetched' as const, url: remote.url, file: null, etag, lastModified }
  const version = { ...origin, sha256, bytes, fetchedMs: nowOf(context) }
  return stage(context, { remote, part, version, holding, beganMs })
}

/** The newest version that came from the same URL and that the server can be asked about. */
function knownOf({ url, sha256 }: RemoteList, { current, pending }: Holding) {
  const usable = (version: ListVersion | null) =>
    version !== null &&
    version.url === url &&
    (version.etag !== null || version.lastModified !== null) &&
    (sha256 === null || sha256 === version.sha256)
  if (usable(pending)) return pending
  return usable(current) ? current : null
}

function fetchContext(context: UpdateContext, route: Route, list: string) {
  const { rules, version, signal, random = Math.random, onProgress, sleep } = context
  return {
    ...{ route, rules, version, signal, random },
    nowMs: () => nowOf(context),
    ...(sleep === undefined ? {} : { sleep }),
    onProgress: (done: number, total: number | null) =>
      onProgress?.({ kind: 'fetch', list, done, total }),
  }
}

/** What is wrong with the bytes that came, by the digest in the settings and the published one. */
async function check(
  remote: RemoteList,
  part: string,
  fetched: Fetched,
  context: UpdateContext,
  route: Route,
): Promise<Trouble | null> {
  const pinned = pinnedTrouble(remote, fetched)
  if (pinned !== null || remote.checksum === null) return pinned
  const file = context.library.newPart(remote.name)
  const { checksum: url } = remote
  const request = { url, known: null, file, bytesMax: CHECKSUM_BYTES_MAX, hasDigest: true }
  const silent = { ...fetchContext(context, route, remote.name), onProgress: undefined }
  try {
    const result = await fetchToFile(request, silent)
    if (result.kind === 'failed') return { ...result, what: `its checksum: ${result.what}` }
    const digest = readDigest(await readFile(file, 'utf8'), fileNameOf(remote.url))
    if (digest === null) {
      const what = `${remote.checksum} holds no checksum of ${fileNameOf(remote.url)}`
      return { what, hint: 'Name the file of checksums that goes with the list, or leave it out.' }
    }
    const { algorithm, hex } = digest
    const actual = algorithm === 'sha256' ? fetched.sha256 : await digestOf(part, algorithm)
    if (actual === hex) return null
    const what = `its ${algorithm} is ${actual}, and ${remote.checksum} says ${hex}`
    return { what, hint: 'It came damaged, or is just being changed: try again in a while.' }
  } finally {
    await rm(file, { force: true })
  }
}

function pinnedTrouble(
  { sha256 }: RemoteList,
  actual: { readonly sha256: string },
): Trouble | null {
  if (sha256 === null || sha256 === actual.sha256) return null
  return {
    what: `its sha256 is ${actual.sha256}, and the settings say ${sha256}`,
    hint: 'If this version is the one that is meant, write its sha256 into the settings.',
  }
}

function noteAttempt(
  context: UpdateContext,
  name: string,
  { attempts }: Holding,
  { result, trouble }: { readonly result: FetchResult; readonly trouble: Trouble | null },
): void {
  // Whoever stops an update does not learn anything about the server.
  if (result.kind === 'failed' && result.code === 'stopped') return
  const lastAttemptMs = nowOf(context)
  if (trouble === null) {
    context.library.writeAttempts(name, { ...NO_ATTEMPTS, lastAttemptMs })
    return
  }
  const waitMs = result.kind === 'failed' ? result.retryAfterMs : null
  context.library.writeAttempts(name, {
    lastAttemptMs,
    failures: (attempts?.failures ?? 0) + 1,
    notBeforeMs: waitMs === null ? null : lastAttemptMs + waitMs,
    problem: { what: trouble.what, hint: trouble.hint },
  })
}

interface Staging {
  readonly remote: RemoteList
  readonly part: string
  readonly version: ListVersion
  readonly holding: Holding
  readonly beganMs: number
}

function stage(context: UpdateContext, staging: Staging): Staged {
  const { library } = context
  const { remote, part, version, holding, beganMs } = staging
  library.keep(remote.name, part, version)
  if (version.sha256 === holding.current?.sha256) {
    return stillCurrent(context, remote.name, holding, { beganMs, renewed: version })
  }
  library.writePending(remote.name, { ...version, verdict: 'unjudged', refusals: [] })
  const kept = holding.current === null ? [version] : [version, holding.current]
  library.sweep(remote.name, kept)
  return { list: remote.name, judged: remote, version, holding, beganMs }
}

/** What came is what is in force: the server's word on it is new, nothing else. */
function stillCurrent(
  { library, nowMs = Date.now }: UpdateContext,
  name: string,
  { current, pending }: Holding,
  { beganMs, renewed }: { readonly beganMs: number; readonly renewed: ListVersion | null },
): ListOutcome {
  if (current === null) throw new Error(`${name}: unchanged, and there is none`)
  // What was imported is known to the server as well: from now on it can be asked about it.
  const origin = renewed?.how === 'fetched' ? renewed : current
  const { how, url, file, etag, lastModified } = origin
  const checkedMs = nowMs()
  library.writeCurrent(name, { ...current, how, url, file, etag, lastModified, checkedMs })
  // What was fetched and not taken has been taken back by those who keep the list.
  const dropped = renewed !== null && pending?.how === renewed.how
  if (dropped) library.writePending(name, null)
  library.sweep(name, pending === null || dropped ? [current] : [current, pending])
  const { entries } = current
  const counts = { entriesBefore: entries, entriesAfter: entries }
  return outcomeOf(name, 'unchanged', {
    version: current,
    ...counts,
    durationMs: nowMs() - beganMs,
  })
}

/** A file to be imported as list `remote`. Copied; it is pending, unjudged, when this returns. */
export async function stageFile(
  remote: RemoteList,
  file: string,
  context: UpdateContext,
): Promise<Staged> {
  const { library, rules } = context
  const beganMs = nowOf(context)
  const holding = library.read(remote.name)
  const part = library.newPart(remote.name)
  const copied = await copy(file, part, rules.bytesMax)
  const trouble = 'what' in copied ? copied : pinnedTrouble(remote, copied)
  if ('what' in copied || trouble !== null) {
    await rm(part, { force: true })
    const entriesBefore = holding.current?.entries ?? null
    const durationMs = nowOf(context) - beganMs
    return outcomeOf(remote.name, 'failed', { trouble, entriesBefore, durationMs })
  }
  const origin = { how: 'imported' as const, url: null, file, etag: null, lastModified: null }
  const version = { ...origin, ...copied, fetchedMs: nowOf(context) }
  return stage(context, { remote, part, version, holding, beganMs })
}

async function copy(
  from: string,
  to: string,
  bytesMax: number,
): Promise<{ sha256: string; bytes: number } | Trouble> {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    // Before it is opened: a pipe would wait for a writer.
    if (!statSync(from).isFile()) {
      return {
        what: `${from} is no file`,
        hint: 'Name the file; of a folder, an archive (.tar.gz).',
      }
    }
  } catch (error) {
    return diskTrouble(error, from)
  }
  try {
    await using target = await open(to, 'wx', 0o600)
    for await (const chunk of createReadStream(from) as AsyncIterable<Buffer>) {
      if (bytes === 0 && isWebPage(chunk)) {
        return { what: `${from} is a web page, not a list`, hint: 'Download the file itself.' }
      }
      bytes += chunk.length
      if (bytes > bytesMax) {
        return { what: `${from} has more than ${bytesMax} bytes`, hint: 'Raise updates.size.' }
      }
      hash.update(chunk)
      await target.writeFile(chunk)
    }
    await target.sync()
    return { sha256: hash.digest('hex'), bytes }
  } catch (error) {
    return diskTrouble(error, from)
  }
}
