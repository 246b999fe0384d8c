/**
 * Owns: the settings of lists that are more than a path: where each comes from, what it feeds, how it is
 * guarded; and how lists are fetched.
 * Never: reads a list, or compares one with another; list-rules.ts does that.
 */
import { z } from 'zod'
import { LIST_FORMATS } from '../policy/index.ts'
import {
  about,
  choice,
  duration,
  group,
  integer,
  line,
  list,
  name,
  path,
  percentage,
  size,
  truth,
} from './fields.ts'
import {
  defaultListName,
  httpsUrl,
  listName,
  member,
  NEVER_BLOCK,
  proxyUrl,
  sha256,
} from './list-fields.ts'

const UT1 = 'https://dsi.ut-capitole.fr/blacklists/download'
const SAMPLE_SHA256 = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const DAY_MS = 86_400_000

const listKeys = group({
  name: listName('ut1-adult')
    .optional()
    .meta({
      ...about('What it is called in log, status and commands.', 'ut1-adult'),
      ...{ fallback: 'the last part of url or file' },
    }),
  url: httpsUrl(`${UT1}/adult.tar.gz`)
    .optional()
    .meta(about('Where it is fetched from. Either `url` or `file`.', `${UT1}/adult.tar.gz`)),
  file: path('/srv/lists/ut1', 'write it as url')
    .optional()
    .meta(about('Where it lies: a file, packed or not, or a folder.', '/srv/lists/ut1')),
  category: z
    .union([z.literal(NEVER_BLOCK), name('porn')], {
      error: `the name of a category, or ${NEVER_BLOCK}`,
    })
    .meta({
      ...about(`The category that it feeds, or \`${NEVER_BLOCK}\`.`, 'porn'),
      ...{ kind: `name of a category, or ${NEVER_BLOCK}` },
    }),
  format: choice(['auto', ...LIST_FORMATS])
    .prefault('auto')
    .meta(about('How it is written; `auto` finds out by what is in it.', 'hosts')),
  member: member('adult')
    .optional()
    .meta(about('In a folder or archive of several lists: the one that is meant.', 'adult')),
  every: duration('5m', '365d', '24h')
    .optional()
    .meta({ ...about('How often it is fetched. Only with `url`.', '24h'), ...{ fallback: '24h' } }),
  checksum: httpsUrl('https://lists.example/adult.txt.sha256')
    .optional()
    .meta(
      about(
        'Where its checksum is published, as sha256sum, sha512sum or md5sum write it; a list that differs is refused. Only with `url`.',
        'https://lists.example/adult.txt.sha256',
      ),
    ),
  sha256: sha256(SAMPLE_SHA256)
    .optional()
    .meta(about('The only content that is taken. Only with `url`.', SAMPLE_SHA256)),
  licence: line('CC BY-SA 4.0')
    .prefault('')
    .meta(about('What it may be used under; it stands in the status.', 'CC BY-SA 4.0')),
  rejected: percentage('0%', '100%', '5%')
    .prefault('5%')
    .meta(about('Of its lines, how many may be junk; above, the list is refused whole.')),
  fall: percentage('0%', '100%', '30%')
    .prefault('30%')
    .meta(about('By how much it may shrink from one version to the next; else the old one stays.')),
  growth: percentage('0%', '100000%', '100%')
    .prefault('100%')
    .meta(about('By how much it may grow from one version to the next; else the old one stays.')),
  exceptions: truth()
    .prefault(false)
    .meta(about('`true`: what it lists is freed from the category, not caught by it.', true)),
})

const listSchema = listKeys.transform(
  ({ url, file, name, member, every, checksum, sha256, rejected, fall, growth, ...rest }) => ({
    /** Unique over all lists. */
    name: name ?? defaultListName({ url, file, member }),
    /** Null: it is a file. */
    url: url ?? null,
    /** Absolute; null: it is fetched. */
    file: file ?? null,
    member: member ?? null,
    everyMs: every ?? DAY_MS,
    checksum: checksum ?? null,
    sha256: sha256 ?? null,
    rejectedShareMax: rejected,
    fallShare: fall,
    growthShare: growth,
    ...rest,
  }),
)

export const listsSchema = list(listSchema, 'lists')
  .prefault([])
  .meta(
    about(
      'Lists that are fetched, or that need more said than a path. What stands here feeds a category beside its own `lists`.',
    ),
  )

const updates = group({
  proxy: proxyUrl('http://proxy.kommun.se:8080')
    .nullable()
    .prefault(null)
    .meta(
      about(
        'The proxy that lists are fetched through, with `user:password@` where it asks.',
        'http://proxy.kommun.se:8080',
      ),
    ),
  certificates: path('/etc/ssl/kommun.pem')
    .nullable()
    .prefault(null)
    .meta(
      about(
        'File of certificates (PEM) that are trusted too when lists are fetched.',
        '/etc/ssl/kommun.pem',
      ),
    ),
  timeout: duration('1s', '6h', '15m')
    .prefault('15m')
    .meta(about('How long fetching a list may take in all.')),
  idle: duration('1s', '10m', '30s')
    .prefault('30s')
    .meta(about('How long a server may be silent.')),
  size: size('1KiB', '2GiB', '512MiB')
    .prefault('512MiB')
    .meta(about('The most that is fetched of one list.')),
  retries: integer(0, 10, 3)
    .prefault(3)
    .meta(about('How often a list that could not be fetched is tried again at once.')),
  hold: truth()
    .prefault(false)
    .meta(
      about(
        '`true`: what is fetched waits until somebody takes it by `./sluss lists accept`.',
        true,
      ),
    ),
}).transform(({ timeout, idle, size, ...rest }) => ({
  timeoutMs: timeout,
  idleMs: idle,
  bytesMax: size,
  ...rest,
}))

export const updatesSchema = updates.prefault({}).meta(about('How lists are fetched.'))

/** A list whose other keys may be wrong: what the rules can still compare. */
export const listShape = listKeys.shape
export type ListSettings = z.output<typeof listSchema>
export type UpdateSettings = z.output<typeof updates>
