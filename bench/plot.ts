/**
 * Owns: a plot of lines as SVG, to be looked at beside the tables it is made from.
 * Never: measures, writes a file, or needs a script, a font or a style sheet from elsewhere.
 */
import assert from 'node:assert/strict'

export interface Axis {
  /** With the unit. */
  readonly label: string
  readonly scale: 'log' | 'linear'
}

export interface Line {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
  /** Lines of one group have one colour; the first is drawn through, the others with dashes. */
  readonly group: string
}

export interface Plot {
  /** Of the file: lower case and hyphens. */
  readonly name: string
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly lines: readonly Line[]
  /** Stretches of x in which something happened. */
  readonly spans: readonly { readonly from: number; readonly to: number }[]
}

const WIDTH = 900
const HEIGHT = 540
const LEFT = 84
const RIGHT = 190
const TOP = 56
const BOTTOM = 62
const NAME_HEIGHT = 18
/** Told apart also by who sees no red or no green (Okabe and Ito). */
const COLOURS = ['#d55e00', '#0072b2', '#009e73', '#cc79a7', '#56b4e9', '#000000']
const DASHES = ['none', '7 4', '2 3']

/** The whole document. Where a scale is logarithmic, values must be above 0. */
export function svgOf({ title, x, y, lines, spans }: Plot): string {
  const points = lines.flatMap((line) => line.points)
  assert(points.length > 0, `${title}: nothing to draw`)
  const across = scaleOf(
    x,
    points.map((point) => point[0]),
    LEFT,
    WIDTH - RIGHT,
  )
  const up = scaleOf(
    y,
    points.map((point) => point[1]),
    HEIGHT - BOTTOM,
    TOP,
  )
  const groups = [...new Set(lines.map(({ group }) => group))]
  const styles = lines.map(({ group, name }) => {
    const inGroup = lines.filter((line) => line.group === group).findIndex((l) => l.name === name)
    const colour = COLOURS[groups.indexOf(group) % COLOURS.length]!
    return { colour, dash: DASHES[inGroup % DASHES.length]! }
  })
  const names = spreadOut(lines.map((line) => up.at(line.points.at(-1)![1])))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="28" font-size="17" font-weight="bold">${escaped(title)}</text>`,
    ...spans.map((span) => spanBox(across, span)),
    ...up.ticks.map((tick) => {
      const at = round(up.at(tick))
      return `<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="#ddd"/><text x="${LEFT - 8}" y="${at + 4}" text-anchor="end" fill="#444">${figure(tick)}</text>`
    }),
    ...across.ticks.map((tick) => {
      const at = round(across.at(tick))
      return `<path d="M${at} ${TOP}V${HEIGHT - BOTTOM}" stroke="#ddd"/><text x="${at}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#444">${figure(tick)}</text>`
    }),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 16}" text-anchor="middle">${escaped(x.label)}</text>`,
    `<text transform="translate(20 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escaped(y.label)}</text>`,
    ...lines.map((line, i) => {
      const { colour, dash } = styles[i]!
      const path = line.points.map(([px, py]) => `${round(across.at(px))} ${round(up.at(py))}`)
      return `<path d="M${path.join('L')}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/>`
    }),
    ...lines.map((line, i) => {
      const at = round(names[i]!)
      const { colour, dash } = styles[i]!
      return `<path d="M${WIDTH - RIGHT + 10} ${at}h22" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/><text x="${WIDTH - RIGHT + 38}" y="${at + 4}" fill="${colour}">${escaped(line.name)}</text>`
    }),
    '</svg>',
    '',
  ].join('\n')
}

interface Scale {
  readonly ticks: readonly number[]
  readonly at: (value: number) => number
}

/** From `start` to `end` in pixels, over all values and out to the next tick. */
function scaleOf({ scale }: Axis, values: readonly number[], start: number, end: number): Scale {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const ticks = scale === 'log' ? logTicks(low, high) : linearTicks(low, high)
  const bend = scale === 'log' ? Math.log10 : (value: number) => value
  const first = bend(ticks[0]!)
  const span = bend(ticks.at(-1)!) - first
  return { ticks, at: (value) => start + ((bend(value) - first) / span) * (end - start) }
}

/** 1, 2, 5, 10, … around the values; only powers of ten where that would be many. */
function logTicks(low: number, high: number): number[] {
  assert(low > 0, 'a logarithmic scale has no place for 0')
  const first = Math.floor(Math.log10(low))
  const last = Math.ceil(Math.log10(high))
  const steps = last - first > 3 ? [1] : [1, 2, 5]
  const all: number[] = []
  for (let power = first; power <= last; power++) {
    for (const step of steps) all.push(step * 10 ** power)
  }
  const from = all.findLastIndex((tick) => tick <= low)
  const to = all.findIndex((tick) => tick >= high)
  return all.slice(from, Math.max(to, from + 1) + 1)
}

/** From 0, in about six steps of 1, 2 or 5 times a power of ten. */
function linearTicks(low: number, high: number): number[] {
  const rough = (high - Math.min(0, low) || 1) / 6
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power
  const from = Math.floor(Math.min(0, low) / step)
  const to = Math.max(from + 1, Math.ceil(high / step))
  return Array.from({ length: to - from + 1 }, (_, i) => (from + i) * step)
}

/** The names' heights, moved apart where they would lie on one another; the order stays. */
function spreadOut(heights: readonly number[]): number[] {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a]! - heights[b]!)
  const placed = [...heights]
  for (const [rank, i] of order.entries()) {
    const above = rank === 0 ? TOP - NAME_HEIGHT : placed[order[rank - 1]!]!
    placed[i] = Math.max(heights[i]!, above + NAME_HEIGHT)
  }
  return placed
}

function spanBox(across: Scale, { from, to }: { from: number; to: number }): string {
  const [left, right] = [across.at(from), across.at(to)]
  return `<rect x="${round(left)}" y="${TOP}" width="${round(right - left)}" height="${HEIGHT - TOP - BOTTOM}" fill="#fdf3dc"/>`
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10
}

/** 10,000 as 10 k: as one says it. */
function figure(value: number): string {
  const [divisor, letter] =
    value >= 1_000_000 ? [1_000_000, ' M'] : value >= 1_000 ? [1_000, ' k'] : [1, '']
  return `${Number((value / divisor).toPrecision(4))}${letter}`
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
