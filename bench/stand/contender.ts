/**
 * Owns: a process with one contender of the matcher's bench, and the other end of it: so that its
 * memory is its own, and no other's garbage is collected in its rounds.
 * Never: asks unless it is told to.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Answers, Asking, type Built, type Form, type Round } from '../asking.ts'
import type { Kind } from '../contenders.ts'
import type { Question } from '../corpus.ts'

/** What can be asked of a contender, here or in a process of its own. */
export interface Measured {
  readonly built: Built
  answers(question: Question, form: Form, share: number): Promise<Answers>
  round(question: Question, form: Form): Promise<Round>
  coldNs(question: Question): Promise<number>
  allocatedBytes(question: Question, form: Form): Promise<number>
  close(): Promise<void>
}

/** Builds a contender from the lists of a corpus. */
export type Opener = (kind: Kind, folder: string) => Promise<Measured>

type Order = readonly [method: Exclude<keyof Measured, 'built' | 'close'>, ...args: unknown[]]
type Reply = { readonly result: unknown } | { readonly error: string }

const HEAP_MIB_MAX = 12_288

/** In this process: quick to begin with, for small runs. */
export async function contenderHere(kind: Kind, folder: string): Promise<Measured> {
  const asking = await Asking.open(kind, folder)
  return {
    built: asking.built,
    answers: async (...args) => asking.answers(...args),
    round: async (...args) => asking.round(...args),
    coldNs: async (...args) => asking.coldNs(...args),
    allocatedBytes: async (...args) => asking.allocatedBytes(...args),
    close: async () => {},
  }
}

/** In a process of its own. */
export async function contenderApart(kind: Kind, folder: string): Promise<Measured> {
  const flags = ['--expose-gc', `--max-old-space-size=${HEAP_MIB_MAX}`]
  const child = fork(fileURLToPath(import.meta.url), [kind, folder], { execArgv: flags })
  const built = (await replyOf(child)) as Built
  const tell = async (...order: Order) => {
    child.send(order)
    return await replyOf(child)
  }
  return {
    built,
    answers: async (...args) => (await tell('answers', ...args)) as Answers,
    round: async (...args) => (await tell('round', ...args)) as Round,
    coldNs: async (...args) => (await tell('coldNs', ...args)) as number,
    allocatedBytes: async (...args) => (await tell('allocatedBytes', ...args)) as number,
    close: async () => {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

function replyOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a contender ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', (reply: Reply) => {
      child.off('exit', onExit)
      if ('error' in reply) reject(new Error(reply.error))
      else resolve(reply.result)
    })
  })
}

async function serve(kind: Kind, folder: string): Promise<void> {
  const reply = (message: Reply) => process.send?.(message)
  const asking = await Asking.open(kind, folder)
  process.on('message', ([method, ...args]: Order) => {
    try {
      const work = asking[method] as (...args: unknown[]) => unknown
      reply({ result: work.apply(asking, args) })
    } catch (error) {
      reply({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  reply({ result: asking.built })
}

if (import.meta.main) await serve(process.argv[2] as Kind, process.argv[3]!)
