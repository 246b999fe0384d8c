/**
 * Owns: a process that writes to the log without end, to be killed: `endless-writer.ts STATE RUN`.
 * Never: prints a number before the writer thread has acknowledged it.
 */
import { writeSync } from 'node:fs'
import type { RecordReply } from '../../src/traffic/writer.ts'
import { batch, NOON_MS, record } from './records.ts'
import { WriterThread } from './writer-thread.ts'

/** Records of batch `number`: some are long, so that pages and -wal are always in motion. */
export const sizeOf = (number: number) => 1 + ((number * 37) % 200)
/** Batches on their way at once. */
const WINDOW = 8

function make(number: number) {
  const records = Array.from({ length: sizeOf(number) }, (_, i) =>
    record({
      flow: number * 1_000 + i,
      timeMs: NOON_MS + number,
      host: `h${(number * i) % 5_000}.example.se`,
    }),
  )
  return batch(number, ...records)
}

/** Prints at once, so that a kill cannot take the line along; waits where the reader is behind. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, line)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

function run(state: string, name: string): void {
  const sender = new WriterThread(state).connect({ run: name, thread: 0 })
  let next = 1
  const send = () => sender.send(make(next++))
  sender.port.on('message', (reply: RecordReply) => {
    if (reply.kind === 'failed') throw new Error(reply.why)
    say(`${reply.number}\n`)
    send()
  })
  for (let i = 0; i < WINDOW; i++) send()
}

if (import.meta.main) run(process.argv[2]!, process.argv[3]!)
