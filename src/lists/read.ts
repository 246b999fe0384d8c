/**
 * Owns: from a source to what its list holds: a file, plain or packed, an archive, a folder; told by
 * what is in it.
 * Never: gives a part of a list whose rest cannot be read, or holds the text of one whole.
 */
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { ListFormat, ListSource } from '../policy/source.ts'
import { isTar, membersOf, TAR_HEAD_BYTES } from './archive.ts'
import { begin, bounded, type Chunks, LIST_BYTES_MAX, readBesideInto, readInto } from './chunks.ts'
import { DETECT_BYTES, detectFormat, headText, isWebPage } from './detect.ts'
import { type FileReading, filesOf, systemTrouble, withBytesOf } from './files.ts'
import { judge } from './judge.ts'
import { LineParser, type ParsedLines, parseEntries } from './lines.ts'
import { MemberChoice, type Role } from './member.ts'
import { ListFault, type ReadTrouble } from './trouble.ts'
import { unpacked } from './unpack.ts'

/** `onBytes` is told of bytes read from the disk, as they lie. */
export async function readList(
  source: ListSource,
  onBytes: (count: number) => void,
): Promise<ParsedLines | ReadTrouble> {
  const { file } = source
  if (file === null) return judged(source, parseEntries(source.entries ?? []), '')
  try {
    const reading = { hash: createHash('sha256'), onBytes }
    const stat = statSync(file)
    const reader = new SourceReader(source, reading)
    if (stat.isDirectory()) await reader.readFolder(file)
    else await reader.readFile(file, stat.size)
    return judged(source, reader.finish(), reader.head)
  } catch (error) {
    if (error instanceof ListFault) return error.trouble
    const trouble = systemTrouble(error)
    // Anything else is a bug of ours.
    if (trouble === null) throw error
    return trouble
  }
}

function judged(source: ListSource, parsed: ParsedLines, head: string): ParsedLines | ReadTrouble {
  return judge(parsed, source, head) ?? parsed
}

/** Reads the files of one source into one parser. */
class SourceReader {
  readonly #source: ListSource
  readonly #reading: FileReading
  #parser: LineParser | null = null
  /** The first text of the list. */
  head = ''

  constructor(source: ListSource, reading: FileReading) {
    this.#source = source
    this.#reading = reading
  }

  async readFile(path: string, sizeBytes: number): Promise<void> {
    await withBytesOf(path, this.#reading, (packed) => this.#readPacked(packed, sizeBytes))
  }

  async readFolder(folder: string): Promise<void> {
    const choice = this.#choice()
    const roles = filesOf(folder).map((path) => ({ path, role: choice.roleOf(path) }))
    throwIf(choice.verdict())
    for (const { path, role } of roles) {
      if (role === null) continue
      const file = join(folder, path)
      const { size } = statSync(file)
      // So that the same bytes under other names, or divided otherwise, are another version.
      this.#reading.hash.update(`${path}\0${size}\0`)
      await withBytesOf(file, this.#reading, (packed) =>
        this.#readMember(bounded(unpacked(packed)), size, role),
      )
    }
  }

  finish(): ParsedLines {
    return this.#made('ut1', 0).finish(this.#reading.hash.digest('hex'))
  }

  async #readPacked(packed: Chunks, sizeBytes: number): Promise<void> {
    const content = bounded(unpacked(packed))
    const { head, all } = await begin(content, TAR_HEAD_BYTES)
    if (isTar(head)) return this.#readArchive(all)
    if (this.#source.format === 'ut1') {
      throw new ListFault(
        'the list is neither a folder nor a tar archive, which format: ut1 is',
        'Name the folder or the archive, or leave the format out.',
      )
    }
    if (this.#source.member !== null) {
      throw new ListFault(
        `the list is one file, so that there is no ${this.#source.member} in it`,
        'Leave member out, or name a folder or an archive.',
      )
    }
    return this.#readText(all, sizeBytes, this.#source.format)
  }

  async #readArchive(archive: Chunks): Promise<void> {
    const choice = this.#choice()
    for await (const { path, link, sizeBytes, chunks } of membersOf(archive)) {
      if (link !== null) choice.addLink(path, link)
      else {
        const role = choice.roleOf(path)
        // It may be packed itself, in an archive that is small.
        if (role !== null) await this.#readMember(bounded(unpacked(chunks)), sizeBytes, role)
      }
    }
    throwIf(choice.verdict())
  }

  #choice(): MemberChoice {
    const { member, format } = this.#source
    return new MemberChoice(member, format === 'ut1' || format === 'auto')
  }

  async #readMember(chunks: Chunks, sizeBytes: number, role: Role): Promise<void> {
    if (role === 'file') {
      const { format } = this.#source
      await this.#readText(chunks, sizeBytes, format === 'ut1' ? 'domains' : format)
    } else if (role === 'domains') await this.#readText(chunks, sizeBytes, 'ut1')
    else await readBesideInto(this.#made('ut1', 0), chunks, role)
  }

  /** `sizeBytes`: on the disk. */
  async #readText(chunks: Chunks, sizeBytes: number, format: ListFormat | 'auto'): Promise<void> {
    const { head, all } = await begin(chunks, DETECT_BYTES)
    this.head = headText(head)
    if (isWebPage(this.head)) {
      throw new ListFault(
        'a web page, not a list',
        'Open the address in a browser: the list has most likely moved. Correct its address.',
      )
    }
    const known = format === 'auto' ? detectFormat(this.head) : format
    const expected = Math.min(LIST_BYTES_MAX, Math.max(head.length, sizeBytes))
    await readInto(this.#made(known, expected), all)
  }

  /** One parser for all files of the source. */
  #made(format: ListFormat, bytesExpected: number): LineParser {
    this.#parser ??= new LineParser(bytesExpected, format)
    return this.#parser
  }
}

function throwIf(trouble: ReadTrouble | null): void {
  if (trouble !== null) throw new ListFault(trouble.what, trouble.hint)
}
