/**
 * Owns: `sluss start`: the service in the foreground, and the signals that reload and stop it.
 * Never: forks; systemd, or the shell, is the parent.
 */
import type { Command } from 'commander'
import { createLog } from '../service/log.ts'
import { notify } from '../service/notify.ts'
import { startService } from '../service/service.ts'
import { endWithProblems, fail, globalOptions, overridesOf, print } from './context.ts'

export function register(program: Command): void {
  program
    .command('start')
    .description('serve until SIGTERM; SIGHUP reads all files again')
    .action((_options: unknown, command: Command) => start(command))
}

async function start(command: Command): Promise<void> {
  const options = globalOptions(command)
  const log = createLog()
  const started = await startService({
    file: options.config,
    overrides: overridesOf(options),
    clock: null,
    log,
  })
  if (!started.ok) {
    return started.problems.length > 0 ? endWithProblems(started.problems) : fail(started.why)
  }
  const { service } = started
  process.on('SIGHUP', () => void service.reload('SIGHUP'))
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info({ signal }, stopping ? 'stopping at once' : 'draining')
      if (stopping) return service.hurry()
      stopping = true
      notify(log, 'STOPPING=1')
      void service.stop().then(() => process.exit(0))
    })
  }
  // Last: whoever reads this may send a signal at once.
  print(service.readyLine)
  notify(log, 'READY=1', `STATUS=${service.readyLine}`)
}
