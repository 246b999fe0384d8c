/**
 * Owns: a process that answers `sluss lists status` twice: as who it is, and then as a user who owns nothing.
 * Never: is that user for longer; it ends.
 *
 *   node as-nobody.ts SETTINGS STATE
 */
import { chmodSync } from 'node:fs'
import { Command } from 'commander'
import { register } from '../../src/cli/lists.ts'

/** The user id that owns nothing. */
const NOBODY = 65_534

async function status(): Promise<void> {
  const program = new Command('sluss').option('--config <file>').option('--json')
  register(program)
  await program.parseAsync(['lists', 'status', '--config', process.argv[2]!], { from: 'user' })
}

// Whatever the command needs is read before we are nobody.
await status()
// Who is not root cannot become another: the folder is closed to its owner instead.
if (process.getuid?.() === 0) process.setuid?.(NOBODY)
else chmodSync(process.argv[3]!, 0)
await status()
