/** A worker gives way; who started it does not. */
import { getPriority, platform } from 'node:os'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { BACKGROUND_NICENESS } from '../../src/lists/thread-priority.ts'

const MODULE = new URL('../../src/lists/thread-priority.ts', import.meta.url).href
const CODE = `
  import { getPriority } from 'node:os'
  import { parentPort } from 'node:worker_threads'
  import { giveWay } from '${MODULE}'
  const thread = giveWay()
  parentPort.postMessage(thread === null ? null : getPriority(thread))`

test.skipIf(platform() !== 'linux')('a thread lowers its own priority and no other', async () => {
  const before = getPriority(process.pid)
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(CODE)}`))
  const priority = await new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  await worker.terminate()
  expect(priority).toBe(Math.max(before, BACKGROUND_NICENESS))
  expect(getPriority(process.pid)).toBe(before)
})
