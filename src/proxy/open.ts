/**
 * Owns: connecting to one address.
 * Never: chooses the address, or waits: whoever asks sets the time.
 */
import type { Place } from './places.ts'
import type { Attempt, Race } from './race.ts'
import { type ConnectRequest, errorName, newConnectRequest, newSocket } from './tcp.ts'
import { NOBODY, Wire } from './wire.ts'

interface OwnedRequest extends ConnectRequest {
  opening: Opening
}

/** An attempt under way: its race is told, in a later turn, whether it succeeded. */
export class Opening implements Attempt {
  readonly wire: Wire
  #race: Race<Opening> | null

  constructor(place: Place, port: number, race: Race<Opening>) {
    this.#race = race
    const handle = newSocket()
    this.wire = new Wire(handle, NOBODY)
    const request = newConnectRequest() as OwnedRequest
    request.opening = this
    request.oncomplete = onConnected
    const status =
      place.family === 4
        ? handle.connect(request, place.text, port)
        : handle.connect6(request, place.text, port)
    // Without a route the kernel says no at once; the race wants to hear it later.
    if (status !== 0) queueMicrotask(() => this.finish(status))
  }

  /** Gives it up: nothing is heard of it any more. */
  cancel(): void {
    this.#race = null
    this.wire.destroy()
  }

  /** Called by the runtime: connected (0), or the error. */
  finish(status: number): void {
    const race = this.#race
    if (race === null) return
    this.#race = null
    if (status === 0) {
      race.connected(this)
      return
    }
    this.wire.destroy()
    race.failed(this, errorName(status))
  }
}

function onConnected(this: ConnectRequest, status: number): void {
  const { opening } = this as OwnedRequest
  opening.finish(status)
}
