import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { Exemption, Facts, Identity, Labels, Policy } from '../../src/policy/index.ts'
import { ledgerKey, parseHost, parseTime } from '../../src/policy/index.ts'
import { Flow } from '../../src/proxy/flow.ts'
import { Meter } from '../../src/proxy/meter.ts'

const calendar = { timezone: 'Europe/Stockholm', startsMinute: 0 }
const MINUTE_MS = 60_000
const noon = parseTime(calendar, '2026-06-10 12:00')!

const zone = {
  name: 'office',
  networks: [],
  identify: ['basic'] as const,
  quota: 'minutes' as const,
}
const social = { name: 'social', bit: 0, decision: null, action: 'quota', minutes: 3, platforms: 1 }

function policyWith(exemptions: readonly Exemption[] = []): Policy {
  return {
    version: 1,
    calendar,
    zones: [zone],
    categories: [{ ...social, action: 'quota' }],
    platforms: [{ name: 'face', title: 'Face', bit: 0 }],
    exemptions,
    ports: { connect: [443], http: [80] },
    allowedAddresses: [],
    tunnels: {
      addressLiterals: 'refuse',
      mismatch: 'log',
      noServerName: 'log',
      encryptedHello: 'log',
      notTls: 'refuse',
    },
    quota: { thresholdBytes: 1_000, graceMs: 30_000 },
  }
}

const exemption: Exemption = {
  reference: 'KS 2026/1',
  subject: { kind: 'user', name: 'anna' },
  platforms: 1,
  fromMs: 0,
  untilMs: Number.MAX_SAFE_INTEGER,
  decision: { by: '', dnr: 'KS 2026/1', date: '' },
}

const labels: Labels = { categories: 0, platforms: 1, background: 0, neverBlock: false }
const identity: Identity = { kind: 'user', user: 'anna', groups: [] }

class Stand {
  nowMs = noon
  policy = policyWith()
  readonly ledger = new Ledger(Ledger.allocate(16))
  readonly meter = new Meter({
    ledger: this.ledger,
    clock: () => this.nowMs,
    policy: this.policy,
  })

  facts(): Facts {
    const name = parseHost('face.test')
    if (typeof name === 'string') throw new Error(name)
    const known = { zone, identified: { known: true, identity } as const, labels }
    const asked = { nowMs: this.nowMs, fault: null, carriage: 'connect', port: 443 } as const
    return { ...known, ...asked, host: name.host, minutesUsed: 0, minutesGiven: 0 }
  }

  flow(metered = true): Flow {
    const facts = this.facts()
    const verdict = { action: 'allow', reason: 'minutes-left', rule: '', decision: null } as const
    const record = {
      zone: '',
      user: '',
      identity: 'user',
      address: '',
      method: '',
      host: '',
    } as const
    const rest = { number: 1, timeMs: noon, port: 443, path: '', categories: '', platforms: '' }
    const flow = new Flow({ ...record, ...rest }, { ...verdict, metered: 'social' }, (ended) =>
      this.meter.forget(ended),
    )
    this.meter.watch(flow, facts, metered ? this.meter.claim(facts) : -1)
    return flow
  }

  minutes(): number[] {
    const slot = this.ledger.find(ledgerKey({ zone: 'office', user: 'anna', category: 'social' }))
    return slot < 0 ? [] : this.ledger.minutes(slot, 20_614)
  }
}

describe('the meter', () => {
  it('charges bytes to the minute they move in, whenever the tick comes', () => {
    const stand = new Stand()
    const flow = stand.flow()
    flow.movedDown(999)
    stand.nowMs += MINUTE_MS
    // Not enough in the first minute, and what comes now is of the second.
    flow.movedDown(999)
    stand.meter.tick()
    expect(stand.minutes()).toEqual([])
    flow.movedUp(1)
    stand.meter.tick()
    expect(stand.minutes()).toEqual([721])
  })

  it('sums the flows of a person, and charges what a flow moved before it ended', () => {
    const stand = new Stand()
    const flows = [stand.flow(), stand.flow()]
    for (const flow of flows) flow.movedUp(500)
    for (const flow of flows) flow.end('complete', stand.nowMs)
    expect(stand.minutes()).toEqual([720])
  })

  it('charges the last minute of the day to that day', () => {
    const stand = new Stand()
    stand.nowMs = parseTime(calendar, '2026-06-10 23:59:59')!
    const flow = stand.flow()
    stand.meter.tick()
    flow.movedUp(5_000)
    stand.nowMs += 1_000
    // A request at midnight looks at the new day before the tick has charged the old one.
    expect(stand.meter.minutesOf({ ...stand.facts() }).minutesUsed).toBe(0)
    stand.meter.tick()
    const slot = stand.ledger.find(ledgerKey({ zone: 'office', user: 'anna', category: 'social' }))
    expect(stand.ledger.bitmap(slot, 20_614)[1_439 >>> 5]).toBe((1 << (1_439 & 31)) >>> 0)
  })

  it('gives a flow up only when its minutes have been spent for longer than the grace', () => {
    const stand = new Stand()
    const flow = stand.flow()
    for (let minute = 0; minute < 3; minute++) {
      flow.movedUp(1_000)
      stand.meter.tick()
      expect(stand.meter.overdrawn()).toEqual([])
      stand.nowMs += MINUTE_MS
    }
    expect(stand.minutes()).toEqual([720, 721, 722])
    expect(stand.meter.overdrawn()).toEqual([flow])
  })

  it('lets a flow be when minutes come back within the grace', () => {
    const stand = new Stand()
    const flow = stand.flow()
    for (let minute = 0; minute < 3; minute++) {
      flow.movedUp(1_000)
      stand.meter.tick()
      if (minute < 2) stand.nowMs += MINUTE_MS
    }
    expect(stand.meter.overdrawn()).toEqual([])
    stand.ledger.give(flow.slot, 20_614, 10)
    stand.nowMs += 31_000
    expect(stand.meter.overdrawn()).toEqual([])
  })

  it('counts on where a new policy would refuse the site, and gives it up when the minutes are spent', () => {
    const stand = new Stand()
    const flow = stand.flow()
    const policy = policyWith()
    const porn = { name: 'porn', bit: 1, decision: null, action: 'block' } as const
    const blocking = { ...policy, categories: [porn, ...policy.categories] }
    stand.meter.replace(blocking, () => ({ ...labels, categories: 2 }))
    for (let minute = 0; minute < 3; minute++) {
      flow.movedUp(1_000)
      stand.meter.tick()
      expect(stand.meter.overdrawn()).toEqual([])
      stand.nowMs += MINUTE_MS
    }
    expect(stand.minutes()).toEqual([720, 721, 722])
    expect(stand.meter.overdrawn()).toEqual([flow])
    // A port that has been closed meanwhile is no other case.
    stand.meter.replace({ ...policy, ports: { connect: [], http: [] } }, () => labels)
    expect(stand.meter.overdrawn()).toEqual([flow])
  })

  it('stops and starts charging as an exemption begins and ends', () => {
    const stand = new Stand()
    const flow = stand.flow()
    stand.meter.replace(policyWith([exemption]), () => labels)
    stand.meter.overdrawn()
    flow.movedUp(5_000)
    stand.meter.tick()
    expect(stand.minutes()).toEqual([])
    stand.meter.replace(policyWith(), () => labels)
    stand.meter.overdrawn()
    stand.meter.tick()
    // What moved while it was exempt stays free.
    expect(stand.minutes()).toEqual([])
    flow.movedUp(1_000)
    stand.meter.tick()
    expect(stand.minutes()).toEqual([720])
  })

  it('forgets a flow whose host no longer belongs to a quota category', () => {
    const stand = new Stand()
    const flow = stand.flow()
    stand.meter.replace(policyWith(), () => ({ ...labels, platforms: 0 }))
    flow.movedUp(5_000)
    stand.meter.tick()
    expect(stand.minutes()).toEqual([])
  })
})
