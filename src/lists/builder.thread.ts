/**
 * Owns: the builder thread: compiles the lists that it was started with, hands over the image, and
 * ends.
 * Never: serves anything, or lives longer than one build.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { ListSource } from '../policy/source.ts'
import { compileLists } from './compile.ts'

// The image lies in shared memory: the message carries a reference, not a copy.
parentPort?.postMessage(compileLists(workerData as readonly ListSource[]))
