/**
 * Owns: a week of nightly updates under load in fast motion: nobody notices, and memory returns to where it was.
 * Never: judges how fast an update is; bench/ does.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ListServer } from './stand/list-server.ts'
import { Load } from './stand/load.ts'
import { imagesIn, MAPPED_APART, residentBytes } from './stand/memory.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'
import { Tunnels } from './stand/tunnels.ts'

const NIGHTS = 7
/** By a little more than `every: 24h` with what chance adds. */
const NIGHT_MS = 27 * 3_600_000
const DOMAINS = 400_000
/** Far below what so many domains need. */
const IMAGE_BYTES_MIN = DOMAINS * 10
/** What heaps that warm up may add. */
const HEAPS_SHARE = 1.5
/** A week is long for a machine that others use too. */
const PATIENCE_MS = 240_000

/** Every night all but a tenth is as it was the night before. */
function published(night: number): string {
  const tenth = DOMAINS / 10
  return Array.from({ length: DOMAINS }, (_, i) => {
    const version = i % 10 === 0 ? night : 0
    return `site-${i + version * tenth}.v${version}.example\n`
  }).join('')
}

describe('a week of nightly updates', () => {
  let server: ListServer
  let town: Town
  beforeAll(async () => {
    server = await ListServer.start()
    server.publish('/adult.txt', published(0))
    const lists = `lists: [{ name: adult, url: "${server.url('/adult.txt')}", category: porn }]`
    town = await buildTown({
      more: `${lists}\nupdates: { certificates: ca.pem, retries: 0 }`,
      start: false,
      files: { 'ca.pem': server.certificate.certificate },
    })
    await town.sluss.start({ atMs: Date.now(), env: MAPPED_APART })
  })
  afterAll(async () => {
    await town.close()
    await server.close()
  })

  it(
    'is noticed by nobody, and leaves no image behind',
    async () => {
      const { sluss } = town
      const versions = new Set<string>()
      const resident: number[] = []
      let images = 0
      let nowMs = Date.now()
      /** Moves the clock, and waits until what was published is in force and the image before is given back. */
      const night = async (ms: number) => {
        nowMs += ms
        await sluss.setTime(nowMs)
        await until('the new version is in force', async () => {
          images = Math.max(images, imagesIn(sluss.pid, IMAGE_BYTES_MIN))
          const adult = (await sluss.status()).lists.each.find(({ name }) => name === 'adult')
          if (!adult?.sha256 || versions.has(adult.sha256)) return false
          versions.add(adult.sha256)
          return true
        })
        await until('one image is left', () => imagesIn(sluss.pid, IMAGE_BYTES_MIN) === 1)
        resident.push(residentBytes(sluss.pid))
      }
      await night(60_000)
      const load = new Load(town)
      const tunnels = await Tunnels.open(sluss.port, 8, [`news.test:${town.echo.port}`])
      for (let i = 1; i <= NIGHTS; i++) {
        server.publish('/adult.txt', published(i))
        await night(NIGHT_MS)
        await tunnels.move()
      }
      await load.ended()
      expect(load.faults).toEqual([])
      expect(tunnels.faults).toEqual([])
      tunnels.close()
      const { lists } = await sluss.status()
      expect(versions.size).toBe(NIGHTS + 1)
      expect(lists.domains).toBeGreaterThan(DOMAINS)
      expect(lists.bytes).toBeGreaterThan(IMAGE_BYTES_MIN)
      // The one in force, and the next.
      expect(images).toBe(2)
      // Each night ended with one image. The load's own heaps grow for a minute, updates or none.
      const beginning = Math.max(...resident.slice(1, 4))
      const end = Math.min(...resident.slice(-3))
      expect(end).toBeLessThan(beginning * HEAPS_SHARE)
    },
    PATIENCE_MS,
  )
})
