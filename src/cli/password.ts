/**
 * Owns: asking for a new password: twice without an echo, or one line of standard input.
 * Never: prints a password, or leaves it in the arguments for others to see.
 */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { isPassword, PASSWORD_LENGTH_MAX } from '../identity/index.ts'
import { fail } from './context.ts'

/** Where the answers come from, and where the questions go. */
export interface Asking {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly output: NodeJS.WritableStream
}

/** NIST SP 800-63B section 3.1.1 asks for at least eight characters, and for no rules beyond. */
export const PASSWORD_LENGTH_MIN = 8
/** A line of standard input that is longer is no password. */
const LINE_LENGTH_MAX = 4 * PASSWORD_LENGTH_MAX

const NOTHING_CHANGED = 'nothing was changed'

/** A password that will do. Ends with 2 where there is none. */
export async function askNewPassword(
  { input, output }: Asking,
  fromStandardInput: boolean,
): Promise<string> {
  if (fromStandardInput) return acceptable(await firstLine(input))
  if (input.isTTY !== true) {
    return fail('there is no terminal to ask at', 'give the password with --password-stdin')
  }
  const answer = await askHidden({ input, output }, 'New password: ')
  if (answer === null) return fail('no password was given', NOTHING_CHANGED)
  const password = acceptable(answer)
  const again = await askHidden({ input, output }, 'Once more: ')
  return again === password ? password : fail('the two are not the same', NOTHING_CHANGED)
}

/** One line that the terminal does not show; null where the person ends with Ctrl-C or Ctrl-D. */
export function askHidden({ input, output }: Asking, question: string): Promise<string | null> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // The interface first, because it turns the echo off: people type as soon as they are asked.
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 })
  return new Promise((resolve) => {
    let answer: string | null = null
    lines.once('line', (line) => {
      answer = line
      lines.close()
    })
    lines.once('SIGINT', () => lines.close())
    lines.once('close', () => {
      output.write('\n')
      resolve(answer)
    })
    output.write(question)
  })
}

async function firstLine(input: NodeJS.ReadableStream): Promise<string> {
  let bytes = Buffer.alloc(0)
  for await (const chunk of input) {
    bytes = Buffer.concat([bytes, Buffer.from(chunk)])
    if (bytes.includes(0x0a) || bytes.length > LINE_LENGTH_MAX) break
  }
  return bytes.toString('utf8').split(/\r?\n/, 1)[0] ?? ''
}

function acceptable(password: string): string {
  if ([...password].length < PASSWORD_LENGTH_MIN) {
    return fail(
      'the password is too short',
      `expected at least ${PASSWORD_LENGTH_MIN} characters, such as a few words`,
    )
  }
  const expected = `expected at most ${PASSWORD_LENGTH_MAX} characters, with no controls`
  return isPassword(password) ? password : fail('the password cannot be sent', expected)
}
