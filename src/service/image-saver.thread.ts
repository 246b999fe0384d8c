/**
 * Owns: the thread that saves one image, and ends: flushing hundreds of megabytes takes a slow disk seconds.
 * Never: reads or changes what it saves.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { saveImage } from '../lists/image-file.ts'
import { giveWay } from '../lists/thread-priority.ts'
import type { SaveWork } from './image-store.ts'

giveWay()
const { file, image } = workerData as SaveWork
parentPort?.postMessage(saveImage(file, image))
