/**
 * Owns: the operational log: what the service itself has to say, as JSON lines or, on a terminal, as text.
 * Never: holds traffic; who went where is in the traffic log alone.
 */
import { type Logger, pino } from 'pino'

export type Log = Logger

const LEVELS: Readonly<Record<number, string>> = {
  30: '     ',
  40: 'warn ',
  50: 'ERROR',
  60: 'FATAL',
}

/** JSON lines to stderr for journald; readable lines where stderr is a terminal. */
export function createLog(): Log {
  const options = { base: null, timestamp: pino.stdTimeFunctions.isoTime }
  if (!process.stderr.isTTY) return pino(options, pino.destination({ dest: 2, sync: true }))
  return pino(options, { write: (line: string) => process.stderr.write(readable(line)) })
}

/** One JSON line as a person reads it: time, level, message, then the rest as key=value. */
export function readable(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>
  const clock = String(time).slice(11, 19)
  const pairs = Object.entries(rest).map(([key, value]) => {
    return `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  return `${[clock, LEVELS[Number(level)] ?? '', String(msg), ...pairs].join(' ')}\n`
}
