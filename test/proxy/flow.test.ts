import { describe, expect, it } from 'vitest'
import { Flow } from '../../src/proxy/flow.ts'

const VERDICT = {
  action: 'allow',
  reason: 'default',
  rule: 'default',
  decision: null,
  metered: null,
} as const
const CLIENT = { zone: '', user: '', identity: '', address: '' } as const
const ASKED = { number: 1, timeMs: 0, method: 'CONNECT', host: 'a.test', port: 443, path: '' }

describe('what the lists say of the server name', () => {
  function check(host: [string, string], name: [string, string], expected: [string, string]) {
    it(`${host} and ${name}`, () => {
      const [categories, platforms] = host
      const flow = new Flow({ ...CLIENT, ...ASKED, categories, platforms }, VERDICT, () => {})
      expect(flow.record('opened', 1)).toMatchObject({ categories, platforms })
      flow.addLabels({ categories: name[0], platforms: name[1] })
      flow.end('complete', 2)
      const closed = { categories: expected[0], platforms: expected[1] }
      expect(flow.record('closed', 3)).toMatchObject(closed)
    })
  }
  check(['', ''], ['', ''], ['', ''])
  check(['', ''], ['porn', 'x'], ['porn', 'x'])
  check(['news', 'y'], ['', ''], ['news', 'y'])
  check(['news', 'y'], ['news', 'y'], ['news', 'y'])
  check(['news', 'y,x'], ['porn', 'x'], ['news,porn', 'y,x'])
  check(['news,porn', ''], ['porn,gambling,news', ''], ['news,porn,gambling', ''])
  check(['porno', ''], ['porn', ''], ['porno,porn', ''])
})
