/**
 * Owns: starting the real service with a clock that the test moves, over the channel of its parent.
 * Never: is part of the product: `sluss start` runs on the system's clock alone.
 */
import { clockBuffer, moveClock } from '../../../src/ledger/clock.ts'
import { createLog } from '../../../src/service/log.ts'
import { startService } from '../../../src/service/service.ts'
import { formatProblem } from '../../../src/settings/problems.ts'

const clock = clockBuffer()
const atMs = process.env.SLUSS_TEST_AT_MS ?? ''
if (atMs !== '') moveClock(clock, Number(atMs) - Date.now())

const options = process.argv.slice(3)
const valueAfter = (name: string) => options[options.indexOf(name) + 1]!
const overrides = options.flatMap((word, i) => (word === '--set' ? [options[i + 1]!] : []))

const started = await startService({
  file: valueAfter('--config'),
  overrides: [...overrides, `state=${valueAfter('--state')}`],
  clock,
  log: createLog(),
})
if (!started.ok) {
  for (const problem of started.problems) process.stderr.write(`${formatProblem(problem)}\n`)
  process.stderr.write(`${started.why}\n`)
  process.exit(2)
}
const { service } = started

process.on('message', (message: { atMs: number }) => {
  moveClock(clock, message.atMs - Date.now())
  process.send!({ moved: true })
})
process.on('SIGHUP', () => void service.reload('SIGHUP'))
process.once('SIGTERM', () => void service.stop().then(() => process.exit(0)))
// The test that started us is gone.
process.once('disconnect', () => process.exit(1))
// Last: whoever reads this may send a signal at once.
process.stdout.write(`${service.readyLine}\n`)
