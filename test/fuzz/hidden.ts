/**
 * Owns: a fault behind three letters: chance alone would need sixteen million tries to find it.
 * Never: is right; it is what the fuzzer itself is tested on.
 */
export function hidden(text: string): string {
  if (text[0] === 'F') {
    if (text[1] === 'U') {
      if (text[2] === 'Z') throw new Error('found')
    }
  }
  return ''
}
