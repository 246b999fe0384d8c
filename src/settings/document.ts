/**
 * Owns: the settings and the reasons as people read about them: docs/settings.md, docs/reasons.md, the help.
 * Never: knows a fact that is not in the schema or in the table of reasons.
 */
import { stringify } from 'yaml'
import { REASONS, type ReasonEntry } from '../policy/index.ts'
import { type SettingEntry, settingEntries } from './outline.ts'

/** The first line of every file that is made. */
export const GENERATED =
  '<!-- Made by `npm run docs`. Do not edit: a test fails where this file is not what it makes. -->'

/** docs/settings.md. The same each time it is made. */
export function settingsDocument(): string {
  const entries = settingEntries()
  const single = entries.filter(({ key, group }) => !group && !key.includes('.'))
  const groups = entries.filter(({ group }) => group)
  const parts = [
    '# Settings',
    GENERATED,
    INTRODUCTION,
    '## At the top level',
    table(single),
    ...groups.flatMap((group) => {
      const inner = entries.filter((entry) => !entry.group && isIn(entry.key, group.key))
      // A group of groups only is told by those.
      return inner.length === 0 ? [] : [`## \`${group.key}\``, group.about, table(inner)]
    }),
  ]
  return `${parts.join('\n\n')}\n`
}

const INTRODUCTION = `All settings stand in \`config/sluss.yaml\`. \`./sluss check\` says whether they hold; a change is in force
within a second of being saved where nothing else is said, and a file that does not hold changes nothing. \`--set key.path=value\` overrides
a setting for one run: \`--set quota.grace=5s --set 'zones[0].quota=none'\`.

- Paths are relative to the folder of the settings file.
- Durations: \`500ms\`, \`30s\`, \`60m\`, \`24h\`, \`90d\`. Sizes: \`512B\`, \`16KiB\`, \`1MiB\`, \`1GiB\`.
- Where several may be given, one may stand without a list.
- A key with nothing after its colon counts as not written.
- \`NAME\` stands for a name of your own, \`[]\` for each entry of a list.`

/** True where `key` stands directly in `group`. */
function isIn(key: string, group: string): boolean {
  const rest = key.startsWith(group) ? key.slice(group.length) : ''
  return /^(?:\[\]|\.NAME)?\.[A-Za-z0-9]+$/.test(rest)
}

function table(entries: readonly SettingEntry[]): string {
  const rows = entries.map((entry) => [
    `\`${entry.key}\``,
    entry.about,
    entry.kind,
    defaultText(entry),
    code(entry.sample),
  ])
  return markdownTable(['key', 'what it is', 'takes', 'default', 'example'], rows)
}

function defaultText({ required, defaultValue }: SettingEntry): string {
  if (required) return '**must be given**'
  if (defaultValue === undefined || defaultValue === null || defaultValue === '') return 'none'
  return code(defaultValue)
}

/** A value as it would stand in the file, on one line. */
function code(value: unknown): string {
  if (value === undefined) return ''
  const text = stringify(value, {
    collectionStyle: 'flow',
    flowCollectionPadding: false,
    lineWidth: 0,
  })
  return `\`${text.trim()}\``
}

export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** docs/reasons.md. */
export function reasonsDocument(): string {
  const rows = Object.entries<ReasonEntry>(REASONS).map(([code, reason]) => [
    `\`${code}\``,
    reason.action,
    reason.status === 0 ? '' : String(reason.status),
    reason.proxyError === '' ? '' : `\`${reason.proxyError}\``,
    `**${reason.sv.title}.** ${reason.sv.body}`,
    `**${reason.en.title}.** ${reason.en.body}`,
  ])
  const head = ['code', 'verdict', 'status', 'RFC 9209 error', 'svenska', 'English']
  return `${['# Reasons', GENERATED, REASONS_INTRODUCTION, markdownTable(head, rows)].join('\n\n')}\n`
}

const REASONS_INTRODUCTION = `Every verdict has a reason with a stable code. It stands in the traffic log, on the refusal page and in
\`./sluss explain\`. A verdict \`fail\` is what went wrong on the way to the site after it was allowed. A reason without
a status lets the request go on.`

/** For \`--help\`: a line a setting. */
export function settingsHelp(): string {
  const entries = settingEntries().filter(({ group }) => !group)
  const width = Math.max(...entries.map(({ key }) => key.length))
  return entries
    .map((entry) => {
      const value = entry.required ? 'must be given' : defaultText(entry).replaceAll('`', '')
      return `  ${entry.key.padEnd(width)}  ${entry.about.replaceAll('`', '')} [${value}]`
    })
    .join('\n')
}
