/**
 * Owns: whether each answer was right, while lists are replaced under those who ask.
 * Never: excuses one: before a change the old list holds, after it the new one, and between no old
 * answer comes after a new one.
 */
import assert from 'node:assert/strict'
import type { Sample } from './open-loop.ts'

/** Which of two lists a host stands in. */
export type Listed = 'neither' | 'both' | 'first' | 'second'
/** Which of them is in force. */
export type Which = 'first' | 'second'

export interface Swap {
  readonly to: Which
  /** Just before the file was replaced. */
  readonly beganMs: number
  /** Just after all threads had said that they go by the new list. */
  readonly inForceMs: number
}

/**
 * Throws where a request failed or was wrongly decided. `listed` says of each host, by its index,
 * where it stands; the first list is in force at first; one thread decides.
 */
export function judge(
  samples: readonly Sample[],
  swaps: readonly Swap[],
  listed: readonly Listed[],
): void {
  assert(samples.length > 0, 'nothing was asked')
  const failed = samples.filter(({ status }) => status === 0)
  assert.equal(failed.length, 0, `${failed.length} of ${samples.length} requests failed`)
  const firstNew = new Map(swaps.map((swap) => [swap, firstNewMs(samples, swap, listed)] as const))
  const wrong = samples.filter((sample) => {
    const { host, status, sentMs, doneMs } = sample
    const old = swaps.findLast(({ inForceMs }) => inForceMs <= sentMs)?.to ?? 'first'
    const byOld = status === statusBy(listed[host]!, old)
    const under = swaps.find(({ beganMs, inForceMs }) => beganMs <= doneMs && sentMs < inForceMs)
    if (under === undefined) return !byOld
    const byNew = status === statusBy(listed[host]!, under.to)
    return !byNew && !(byOld && sentMs < firstNew.get(under)!)
  })
  const [first] = wrong
  const which = JSON.stringify(first && { ...first, listed: listed[first.host] })
  assert.equal(
    wrong.length,
    0,
    `${wrong.length} requests were wrongly decided; the first: ${which}`,
  )
}

/** When the first answer by the new list came that the old one would not have given. */
function firstNewMs(
  samples: readonly Sample[],
  { to, beganMs, inForceMs }: Swap,
  listed: readonly Listed[],
): number {
  const old = to === 'first' ? 'second' : 'first'
  let earliest = Number.POSITIVE_INFINITY
  for (const { host, status, sentMs, doneMs } of samples) {
    const where = listed[host]!
    const isNew = status === statusBy(where, to) && status !== statusBy(where, old)
    if (isNew && doneMs >= beganMs && sentMs < inForceMs) earliest = Math.min(earliest, doneMs)
  }
  return earliest
}

function statusBy(listed: Listed, inForce: Which): number {
  return listed === 'both' || listed === inForce ? 403 : 200
}
