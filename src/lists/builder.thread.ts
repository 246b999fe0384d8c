/**
 * Owns: the builder thread: compiles the lists that it was started with, says how far it has come,
 * hands over the image, and ends.
 * Never: serves anything, lives longer than one build, or takes the processor from who serves.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { BuilderMessage, BuilderWork } from './builder.ts'
import { compileLists } from './compile.ts'
import { giveWay } from './thread-priority.ts'

const tell = (message: BuilderMessage) => parentPort?.postMessage(message)

giveWay()
const { sources, key } = workerData as BuilderWork
const result = await compileLists(sources, {
  ...(key === undefined ? {} : { key }),
  onProgress: (progress) => tell({ kind: 'progress', progress }),
})
// The image lies in shared memory: the message carries a reference, not a copy.
tell({ kind: 'result', result })
