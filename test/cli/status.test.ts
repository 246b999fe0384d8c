import { expect, it } from 'vitest'
import { recordsText } from '../../src/cli/status.ts'
import { newCounters } from '../../src/proxy/world.ts'

it('records that are in no row of the log are told of, and not taken for some on their way', () => {
  const counters = { ...newCounters(), records: 1_702, recordsAcknowledged: 479 }
  expect(recordsText(counters)).toBe('479 of 1702 on disk')
  expect(recordsText({ ...counters, recordsLost: 1_223 })).toBe(
    '479 of 1702 on disk, 1223 NOT RECORDED: gaps in the log count them',
  )
})
