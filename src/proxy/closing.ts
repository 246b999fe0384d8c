/**
 * Owns: telling the owners of closed connections, each in a turn of its own: nobody expects to be called back
 * by what he calls.
 * Never: closes anything.
 */
interface Closed {
  /** Tells its owner. */
  closed(): void
}

/** Closed, and their owners not yet told. */
let closing: Closed[] = []

export function closeSoon(one: Closed): void {
  if (closing.push(one) === 1) queueMicrotask(tellClosed)
}

function tellClosed(): void {
  const all = closing
  closing = []
  let told = 0
  try {
    while (told < all.length) all[told++]!.closed()
  } finally {
    // A fault of one owner must not keep the others waiting for ever.
    while (told < all.length) closeSoon(all[told++]!)
  }
}
