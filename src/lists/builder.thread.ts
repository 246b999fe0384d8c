/**
 * Owns: the builder thread: compiles the lists that it was started with, says how far it has come,
 * hands over the image, and ends.
 * Never: serves anything, lives longer than one build, or keeps the processor from who serves for long.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { BuilderMessage, BuilderWork } from './builder.ts'
import { compileLists } from './compile.ts'
import { sizeBytesOf } from './files.ts'
import { giveWay } from './thread-priority.ts'

/** Shorter lists are built before anybody notices, and in force at once on a busy machine too. */
const GIVE_WAY_BYTES_MIN = 16 * 1_024 * 1_024

const tell = (message: BuilderMessage) => parentPort?.postMessage(message)

const { sources, key, urgent } = workerData as BuilderWork
const bytes = sources.reduce((sum, { file }) => sum + (file === null ? 0 : sizeBytesOf(file)), 0)
if (!urgent && bytes >= GIVE_WAY_BYTES_MIN) giveWay()
const result = await compileLists(sources, {
  ...(key === undefined ? {} : { key }),
  onProgress: (progress) => tell({ kind: 'progress', progress }),
})
// The image lies in shared memory: the message carries a reference, not a copy.
tell({ kind: 'result', result })
