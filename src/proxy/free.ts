/**
 * Owns: giving back the memory of an image that this thread no longer uses.
 * Never: runs but where an image has been dropped: it stops the thread for some milliseconds.
 *
 * The engine does not count shared memory among what a thread holds, so that no amount of it makes a thread
 * collect: an idle one would keep an image of hundreds of megabytes for hours after it was replaced.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { readonly type: 'major'; readonly execution: 'async' }) => Promise<void>

// Made ready at the thread's start, where nobody waits for it.
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as Collect

/** Resolves when what this thread dropped before is free. */
export async function freeDropped(): Promise<void> {
  // Asynchronous: from a task of its own, where no stack holds on to what was dropped.
  await collect({ type: 'major', execution: 'async' })
}
