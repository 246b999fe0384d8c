import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sizeOf } from './endless-writer.ts'
import { ask, TODAY, temporaryFolder } from './records.ts'

const PROGRAM = fileURLToPath(new URL('./endless-writer.ts', import.meta.url))
/** After how many acknowledgements it is killed: at once, and in the midst of checkpoints. */
const KILLED_AFTER = [1, 7, 40, 150, 400]

let state: string
let remove: () => void

beforeEach(() => {
  const folder = temporaryFolder()
  state = folder.path
  remove = folder.remove
})
afterEach(() => remove())

/**
 * Runs it until `after` batches are acknowledged, kills it, and gives the last acknowledged number.
 */
async function killedAfter(after: number, run: string): Promise<number> {
  const child = spawn(process.execPath, [PROGRAM, state, run], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  let last = 0
  for await (const line of createInterface({ input: child.stdout })) {
    expect(Number(line)).toBe(last + 1)
    last++
    if (last === after) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  expect([
    child.signalCode,
    complaint.replace(/.*(ExperimentalWarning|--trace-warnings).*\n/g, ''),
  ]).toEqual(['SIGKILL', ''])
  return last
}

test('after SIGKILL under load the log opens, and every acknowledged batch is whole', async () => {
  const acknowledged = new Map<string, number>()
  for (const [i, after] of KILLED_AFTER.entries()) {
    acknowledged.set(`run-${i}`, await killedAfter(after, `run-${i}`))
    expect(ask(state, TODAY, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
    expect(ask(state, TODAY, 'PRAGMA foreign_key_check')).toEqual([])
    // What earlier runs wrote is looked at again: this run took the file over from a dead one.
    for (const [run, last] of acknowledged) checkRun(run, last)
  }
}, 120_000)

function checkRun(run: string, last: number): void {
  const counted = ask<{ number: number; records: number }>(
    state,
    TODAY,
    `SELECT flow / 1000 AS number, count(*) AS records FROM traffic WHERE run = '${run}' GROUP BY 1`,
  )
  const records = new Map(counted.map(({ number, records }) => [number, records]))
  for (let number = 1; number <= last; number++) {
    expect(records.get(number), `${run}, batch ${number}`).toBe(sizeOf(number))
  }
  // A batch that was not acknowledged is there whole, or not at all.
  for (const [number, found] of records)
    expect(found, `${run}, batch ${number}`).toBe(sizeOf(number))
}
