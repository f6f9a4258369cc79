/**
 * The parts of random requests: few paths, so that they meet; few identities; everything once in a while wrong.
 *
 * Avoided   addresses of the other family. Deliberate difference "ip-version-6". (All of them are on a page in
 *           docs/protocol, and a test holds that and these comments together.)
 */
import type { Chance } from './chance.ts'
import { quotaRootOf } from './janitor.ts'
import type { AclEntry, Text } from './program.ts'

export const OPEN: readonly AclEntry[] = [{ perms: 31, scheme: 'world', id: 'anyone' }]

/** Names and passwords of digest identities; none guesses at the superuser's, which ours slows down. */
export const IDENTITIES = ['ann:a', 'bob:b', 'ann:wrong', 'no-colon', ':', 'a:b:c', 'super:sesame', 'ann:sesame']
const ANN = 'ann:i9V/d2HTT0sehGWzvQcFNipywIQ='
const BOB = 'bob:LcrmCNs/wfVD+i5a5yaz89GyjIM='

const GOOD_ENTRIES: readonly AclEntry[] = [
  { perms: 31, scheme: 'digest', id: ANN },
  { perms: 1, scheme: 'world', id: 'anyone' },
  { perms: 16, scheme: 'world', id: 'anyone' },
  { perms: 30, scheme: 'world', id: 'anyone' },
  { perms: 27, scheme: 'world', id: 'anyone' },
  { perms: 3, scheme: 'digest', id: BOB },
  { perms: 12, scheme: 'digest', id: ANN },
  { perms: 31, scheme: 'ip', id: '127.0.0.1' },
  { perms: 13, scheme: 'ip', id: '127.0.0.0/8' },
  { perms: 31, scheme: 'ip', id: '10.0.0.1' },
]

const ODD_ENTRIES: readonly AclEntry[] = [
  { perms: 31, scheme: 'world', id: 'somebody' },
  { perms: 31, scheme: 'digest', id: 'no-colon' },
  { perms: 31, scheme: 'digest', id: 'a:b:c' },
  { perms: 31, scheme: 'digest', id: '' },
  { perms: 31, scheme: 'ip', id: '300.0.0.1' },
  { perms: 31, scheme: 'ip', id: '127.0.0.1/33' },
  { perms: 31, scheme: 'ip', id: '127.0.0.1/x' },
  { perms: 31, scheme: 'ip', id: 'localhost' },
  { perms: 31, scheme: 'nobody-knows', id: 'x' },
  { perms: 31, scheme: '', id: '' },
  { perms: 31, scheme: 'super', id: '' },
  { perms: 31, scheme: 'sasl', id: 'x' },
  { perms: 31, scheme: 'auth', id: 'ignored' },
  { perms: 0, scheme: 'world', id: 'anyone' },
  { perms: 33, scheme: 'world', id: 'anyone' },
  { perms: -1, scheme: 'world', id: 'anyone' },
]

export const NULL_ENTRIES: readonly AclEntry[] = [
  { perms: 31, scheme: null, id: 'anyone' },
  { perms: 31, scheme: 'world', id: null },
]

const NODES = ['', '/a', '/b', '/e', '/a/x', '/a/y', '/a/e', '/b/x', '/a/x/k', '/s0000000000', '/a/q0000000001']
const SEQUENTIAL = ['/s', '/a/q', '/a/', '/b/s']
const SYSTEM = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config', '/zookeeper/none']
const WRONG_CHARACTERS = ['/\u0001', '/a\u0000', '/\u007f', '/\ufff0']
const WRONG = ['/', '//a', '/a//x', '/a/', '/./a', '/a/../b', '/a/.', '/..', ...WRONG_CHARACTERS]
const WRONG_WHOLE = ['', 'a', 'a/b', '.', '/.', '/..', '//']

export const QUOTAS = [
  'count=4,bytes=60',
  'count=-1,bytes=-1=;byteHardLimit=60;countHardLimit=5',
  'count=-1,bytes=-1=;byteHardLimit=40',
  'count=3,bytes=-1=;countHardLimit=4',
  'count=0,bytes=0',
]

/** The choices for the random requests of one program. */
export class Choices {
  readonly chance: Chance
  readonly root: string
  readonly #hasQuota: boolean
  readonly #persistent = new Set<string>()

  constructor(chance: Chance, root: string, slots: number, hasQuota: boolean) {
    this.chance = chance
    this.root = root
    this.#hasQuota = hasQuota
    for (let slot = 0; slot < slots; slot++) {
      for (const node of NODES) if (chance.is(0.35)) this.#persistent.add(`${slot} ${root}${node}`)
    }
  }

  /** A path that may be there, or for a system node is. */
  path(): string {
    const { chance } = this
    if (this.#hasQuota && chance.is(0.12)) return this.quotaPath()
    return chance.is(0.96) ? this.root + chance.pick(NODES) : chance.pick(SYSTEM)
  }

  /** Most often a path; now and then what is none. */
  text(): Text {
    return this.chance.is(0.94) ? this.path() : this.wrongPath()
  }

  /** A path of the program's own, where it may write; now and then what is no path. */
  ownText(): Text {
    if (this.chance.is(0.06)) return this.wrongPath()
    if (this.#hasQuota && this.chance.is(0.1)) return this.quotaPath()
    return this.root + this.chance.pick(NODES)
  }

  /** Like {@link Choices.ownText}, and never null or bytes: for requests in which that does harm to the reference. */
  stringPath(): string {
    const text = this.text()
    return typeof text === 'string' ? text : this.root
  }

  /** Deliberate difference "sync-echo": null, and text outside the basic plane, do not come back alike. */
  syncPath(): string {
    const path = this.stringPath()
    return path.includes('\u{1f600}') ? this.root : path
  }

  sequentialPath(): string {
    return this.root + this.chance.pick(SEQUENTIAL)
  }

  wrongPath(): Text {
    const { chance } = this
    return chance.weighted<() => Text>([
      [12, () => this.root + chance.pick(WRONG)],
      [4, () => chance.pick(WRONG_WHOLE)],
      [1, () => null],
      [1, () => Buffer.concat([Buffer.from(this.root), Buffer.of(0x2f, 0xff, 0xfe)])],
      [1, () => `${this.root}/\u{1f600}`],
      [1, () => `${this.root}/\u00e4\u20ac`],
    ])()
  }

  /** A node of the quota tree; only the quota of the program's node `a` is ever there. */
  quotaPath(): string {
    const base = quotaRootOf(this.root)
    return this.chance.pick([base, `${base}/a`, `${base}/a/zookeeper_limits`, `${base}/a/zookeeper_stats`])
  }

  /** Whether this session prefers persistent watches on this path; it has both kinds there now and then. */
  isPersistent(slot: number, path: Text): boolean {
    return typeof path !== 'string' || this.#persistent.has(`${slot} ${path}`) !== this.chance.is(0.1)
  }

  standardPaths(slot: number): string[] {
    return NODES.map((node) => this.root + node).filter((path) => !this.isPersistent(slot, path) && this.chance.is(0.3))
  }

  persistentPaths(slot: number): string[] {
    return NODES.map((node) => this.root + node).filter((path) => this.isPersistent(slot, path) && this.chance.is(0.4))
  }

  /** Data for a node. The limits and counts of a quota must be readable: junk in them ends the reference's process. */
  data(path: Text): Uint8Array | null {
    const { chance } = this
    if (typeof path === 'string' && /zookeeper_(limits|stats)$/.test(path)) return Buffer.from(chance.pick(QUOTAS))
    return chance.weighted<() => Uint8Array | null>([
      [2, () => null],
      [2, () => Buffer.alloc(0)],
      [8, () => Buffer.from(`data ${chance.below(100)}`)],
      [1, () => Buffer.alloc(chance.below(5_000), chance.below(256))],
    ])()
  }

  version(): number {
    return this.chance.weighted([
      [10, -1],
      [4, 0],
      [3, 1],
      [2, 2],
      [1, 7],
      [1, -2],
      [1, 2_147_483_647],
      [1, -2_147_483_648],
    ])
  }

  /** A version that no node has: for a lone check, which the reference answers only when it fails. */
  impossibleVersion(): number {
    return this.chance.pick([12_345, -2, 2_147_483_647])
  }

  acl(): readonly AclEntry[] | null {
    const { chance } = this
    const several = (from: readonly AclEntry[]): AclEntry[] =>
      Array.from({ length: 1 + chance.below(3) }, () => chance.pick(from))
    return chance.weighted<() => readonly AclEntry[] | null>([
      [40, () => OPEN],
      [6, () => several(GOOD_ENTRIES)],
      [3, () => [{ perms: 31, scheme: 'auth', id: chance.pick(['', null]) }]],
      [2, () => [...OPEN, ...several(ODD_ENTRIES)]],
      [2, () => several(ODD_ENTRIES)],
      [0.5, () => []],
      [0.3, () => null],
    ])()
  }
}
