/**
 * Feature flags: switches that a fleet of web servers asks on every request, and that change while it runs.
 *
 * Use       `node dist-examples/examples/flags.js` after `npm run build:examples`
 * Model     one document of all flags in a configuration center. A flag is off, on, or on for some users: by a share,
 *           which a hash of the flag and the user decides, so that a user sees the same on each server and on each
 *           request; or by name. Asking costs no request: each server has the document.
 * Story     three servers. A flag goes to a tenth of the users, to half, and to all; another is switched off in an
 *           emergency; a document that is wrong is refused; a new one is tried on one server first, and promoted.
 * Status    0; 1 if any check fails.
 */
import { realpathSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ConfigCenter, connect, isCoordinationError } from 'quorate'
import type { Client, StandardSchema } from 'quorate'
import { embedded } from 'quorate/embedded'

/** A flag: for nobody, for everybody, for a share of the users in percent, or for those that are named. */
type Flag = boolean | { readonly percent: number } | { readonly users: readonly string[] }

/** All flags, by their names. */
type FlagDocument = Readonly<Record<string, Flag>>

/** The result of a run. */
export interface FlagsReport {
  /** Each check, and whether it holds. */
  readonly checks: Readonly<Record<string, boolean>>
  /** How many of the users had the flag at each step. */
  readonly shares: readonly number[]
}

const PATH = '/config/flags'
const USERS = Array.from({ length: 1_000 }, (_, index) => `user-${String(index)}`)
const POLL_MS = 5
const WAIT_MS_MAX = 30_000

/** Refuses a document with a flag that is none. Any Standard Schema would do. */
const SCHEMA: StandardSchema<FlagDocument> = {
  '~standard': {
    version: 1,
    vendor: 'flags',
    validate: (value) => {
      const flags = Object.entries(Object(value) as Record<string, unknown>)
      const issues = flags.filter(([, flag]) => !isFlag(flag)).map(([name]) => ({ message: 'no flag', path: [name] }))
      return issues.length > 0 ? { issues } : { value: value as FlagDocument }
    },
  },
}

function isFlag(value: unknown): value is Flag {
  if (typeof value === 'boolean') return true
  const { percent, users } = Object(value) as { readonly percent?: unknown; readonly users?: unknown }
  return (typeof percent === 'number' && percent >= 0 && percent <= 100) || Array.isArray(users)
}

/** The flags as one server of the fleet asks them. */
class Flags implements AsyncDisposable {
  readonly #center: ConfigCenter<FlagDocument>

  private constructor(center: ConfigCenter<FlagDocument>) {
    this.#center = center
  }

  /** Opens the flags; a server that starts has them before it serves. */
  static async open(client: Client, server: string): Promise<Flags> {
    const center = new ConfigCenter<FlagDocument>(client, PATH, { schema: SCHEMA, member: { id: server } })
    await center.ready()
    return new Flags(center)
  }

  /** Whether a user has a feature; a flag that nobody has written is off. */
  isOn(name: string, user: string): boolean {
    const flag = this.#center.current?.[name] ?? false
    if (typeof flag === 'boolean') return flag
    return 'users' in flag ? flag.users.includes(user) : placeOf(name, user) < flag.percent
  }

  /** How many users have a feature. */
  countOf(name: string): number {
    return USERS.filter((user) => this.isOn(name, user)).length
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#center.close()
  }
}

/** Where a user stands between 0 and 100, for one flag: FNV-1a. Each flag has an order of its own. */
function placeOf(name: string, user: string): number {
  let hash = 0x811c9dc5
  for (const code of new TextEncoder().encode(`${name}\n${user}`)) hash = Math.imul(hash ^ code, 0x01000193)
  return (hash >>> 0) / 2 ** 32 * 100
}

async function until(isTrue: () => boolean): Promise<boolean> {
  const endMs = performance.now() + WAIT_MS_MAX
  while (!isTrue() && performance.now() < endMs) await delay(POLL_MS)
  return isTrue()
}

/** Tells the story, and checks it. */
export async function runFlags(): Promise<FlagsReport> {
  await using ensemble = embedded({ servers: 3 })
  await using client = await connect(ensemble)
  await using operator = new ConfigCenter<FlagDocument>(client, PATH, { schema: SCHEMA, history: { author: 'ops' } })
  await operator.publish({ checkout: { percent: 10 }, search: true, beta: { users: ['user-7'] } })
  const servers = await Promise.all(['web-1', 'web-2', 'web-3'].map((id) => Flags.open(client, id)))
  const [canary] = servers
  if (canary === undefined) throw new Error('a server')
  const everywhere = (isTrue: (flags: Flags) => boolean): Promise<boolean> => until(() => servers.every(isTrue))
  const shares = [canary.countOf('checkout')]
  const first = USERS.filter((user) => canary.isOn('checkout', user))

  const { value } = await operator.update((flags) => ({ ...flags, checkout: { percent: 50 } }))
  const isWider = await everywhere((flags) => flags.countOf('checkout') > 2 * first.length)
  shares.push(canary.countOf('checkout'))
  const areKept = first.every((user) => servers.every((flags) => flags.isOn('checkout', user)))

  await operator.publish({ ...value, checkout: true, search: false }, { comment: 'search is down' })
  const isSwitched = await everywhere((flags) => flags.countOf('search') === 0 && flags.countOf('checkout') === 1_000)
  shares.push(canary.countOf('checkout'))

  const wrong = { checkout: { percent: 150 } }
  const refusal: unknown = await operator.publish(wrong).then(() => null, (error: unknown) => error)

  await operator.publish({ checkout: true, search: true }, { rollout: { members: ['web-1'] } })
  const isTried = await until(() => canary.isOn('search', 'user-1'))
  const isApart = servers.filter((flags) => flags.isOn('search', 'user-1')).length === 1
  await operator.rollout.promote()
  const isPromoted = await everywhere((flags) => flags.isOn('search', 'user-1'))
  await Promise.all(servers.map((flags) => flags[Symbol.asyncDispose]()))
  return {
    shares,
    checks: {
      'a tenth of the users has it': Math.abs((shares[0] ?? 0) - 100) < 40,
      'a wider share is seen on every server': isWider,
      'whoever had it keeps it': areKept,
      'a flag is switched off everywhere': isSwitched,
      'a wrong document is refused': isCoordinationError(refusal, 'INVALID_VALUE'),
      'a document is tried on one server': isTried && isApart,
      'and is then in force on all': isPromoted,
    },
  }
}

// A link may lead here.
const [, program] = process.argv
if (program !== undefined && realpathSync(program) === fileURLToPath(import.meta.url)) {
  const { checks, shares } = await runFlags()
  for (const [check, holds] of Object.entries(checks)) console.log(`${holds ? 'ok  ' : 'FAIL'} ${check}`)
  console.log(`checkout for ${shares.join(', ')} of ${USERS.length} users`)
  process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1
}
