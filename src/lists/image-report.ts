/**
 * Owns: the report as it stands in an image: what the lists are, and which of them a source means.
 * Never: counts; build.ts does.
 */
import { HEADER, IMAGE_FAULTS, type ImageView, openImage } from './layout.ts'
import type { SourceKind } from './masks.ts'
import type { BuildReport } from './report.ts'

/** What the image knows of itself is not said twice: its size and time stand in the header. */
interface StoredReport {
  readonly kinds: readonly SourceKind[]
  readonly report: Omit<BuildReport, 'bytes' | 'buildMs' | 'nodes' | 'domains'>
}

export function encodeReport(
  kinds: readonly SourceKind[],
  { lists, caught }: StoredReport['report'],
): Uint8Array {
  const stored: StoredReport = { kinds, report: { lists, caught } }
  return new TextEncoder().encode(JSON.stringify(stored))
}

/** What the builder said of the lists. Throws where the buffer is not an image. */
export function reportOf(buffer: SharedArrayBuffer): BuildReport {
  const image = openedImage(buffer)
  const { header } = image
  return {
    ...readReport(image).report,
    domains: header[HEADER.domains]!,
    nodes: header[HEADER.nodes]!,
    bytes: buffer.byteLength,
    buildMs: header[HEADER.buildMs]!,
  }
}

/** The kinds that sources refer to, by number. Throws where the report cannot be read. */
export function readReport({ report }: ImageView): StoredReport {
  // TextDecoder does not read shared memory; the copy is small.
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(report.slice()))
}

/** The views of an image. Throws where the buffer is not one. */
export function openedImage(buffer: SharedArrayBuffer): ImageView {
  const image = openImage(buffer)
  if (typeof image === 'string') throw new Error(`${IMAGE_FAULTS[image]} (${image})`)
  return image
}
