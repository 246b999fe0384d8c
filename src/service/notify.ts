/**
 * Owns: telling systemd how we are (sd_notify, Type=notify).
 * Never: matters where systemd did not start us.
 */
import { execFile } from 'node:child_process'
import type { Log } from './log.ts'

/** `READY=1`, `STOPPING=1`, `STATUS=…`; silent without NOTIFY_SOCKET. */
export function notify(log: Log, ...states: readonly string[]): void {
  if (process.env.NOTIFY_SOCKET === undefined) return
  // Node has no datagram Unix sockets; systemd's own tool sends it, under our main process's number.
  execFile('systemd-notify', [`--pid=${process.pid}`, ...states], (error) => {
    if (error === null) return
    const hint = 'is systemd-notify there? Without it, systemd takes us for not started'
    log.error({ why: error.message.trim(), hint }, 'systemd could not be told how we are')
  })
}
