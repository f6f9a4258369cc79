/**
 * Makes random programs.
 *
 * Avoided   requests whose order on the reference depends on timing: after a setACL, after a request that it
 *           cannot read and, under a quota, after any write, nothing is pipelined; authentication, which it does out
 *           of the order of requests, stands alone.
 *           Deliberate differences "set-acl-order", "own-server", "unknown-operation-order", "quota-order",
 *           "failed-multi".
 *           Requests that harm the reference: a lone check that succeeds makes its log unreadable, null paths in multi,
 *           in addWatch and in setWatches2 wedge it, a negative time to live under other flags ends its process.
 *           Deliberate differences "lone-check", "negative-ttl", "container-flags", "quota-junk", "wrong-password".
 *           Requests that programs have no use for here.
 *           Deliberate differences "client-create-session", "malformed-auth", "limits".
 */
import { Chance } from './chance.ts'
import { Choices, IDENTITIES, NULL_ENTRIES, OPEN, QUOTAS } from './choices.ts'
import type { CreateFields, Creation, Damage, Operation, Part, Program, Request, Step, Text } from './program.ts'

const SLOTS = 3
const XID_MAX = 2_147_483_647
/** Operations that no server knows, or that are not for clients. */
const UNKNOWN_OPS = [10, 20, 23, 50, 1000, -5, 0]
/** The programs whose node `a` has a quota. */
const QUOTA_EVERY = 5
const HTTP = 'GET /commands HTTP/1.1\r\nHost: localhost\r\n\r\n'

const TOO_LONG = Buffer.from([0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4])
const NEGATIVE = Buffer.from([0xff, 0xff, 0xff, 0xf0, 1, 2, 3, 4])
const SHORT = Buffer.from([0, 0, 0, 3, 1, 2, 3])
const EMPTY = Buffer.from([0, 0, 0, 0])

/** Makes the program of a seed, of about so many steps: requests, connects and resumes. */
export function programOf(seed: number, stepCount: number): Program {
  return new Generator(seed).program(stepCount)
}

/** Whether the program of a seed has a node with a quota. */
export function hasQuota(seed: number): boolean {
  return seed % QUOTA_EVERY === 0
}

class Generator {
  readonly #seed: number
  readonly #chance: Chance
  readonly #root: string
  readonly #hasQuota: boolean
  readonly #choices: Choices
  readonly #steps: Step[] = []
  readonly #xids: number[] = Array.from({ length: SLOTS }, () => 0)

  constructor(seed: number) {
    this.#seed = seed
    this.#chance = new Chance(seed)
    this.#root = `/seed-${seed}`
    this.#hasQuota = hasQuota(seed)
    this.#choices = new Choices(this.#chance, this.#root, SLOTS, this.#hasQuota)
  }

  program(stepCount: number): Program {
    for (let slot = 0; slot < SLOTS; slot++) {
      this.#connect(slot)
      if (this.#chance.is(0.5)) this.#authenticate(slot)
    }
    this.#makeTree()
    if (this.#hasQuota) this.#makeQuota()
    while (this.#length() < stepCount) this.#act(this.#chance.below(SLOTS))
    return { seed: this.#seed, root: this.#root, steps: this.#steps }
  }

  #length(): number {
    return this.#steps.reduce((sum, step) => sum + (step.kind === 'burst' ? step.requests.length : 1), 0)
  }

  #act(slot: number): void {
    const chance = this.#chance
    chance.weighted<() => unknown>([
      [60, () => this.#burst(slot)],
      [2, () => this.#authenticate(slot)],
      [1, () => this.#resume(slot, 'after a disconnect')],
      [1, () => this.#resume(slot, 'while connected')],
      [0.3, () => this.#resume(slot, 'from the future')],
      [0.5, () => this.#resume(slot, 'with a wrong password', 'after a disconnect')],
      [1, () => this.#closeSession(slot)],
      [0.7, () => this.#malformed(slot)],
      [0.3, () => this.#stranger()],
    ])()
  }

  #connect(slot: number): void {
    const timeoutMs = this.#chance.pick([40_000, 60_000, 999_999])
    this.#steps.push({ kind: 'connect', slot, timeoutMs, isOldClient: this.#chance.is(0.2) })
    this.#xids[slot] = 0
  }

  #resume(slot: number, ...hows: Extract<Step, { kind: 'resume' }>['how'][]): void {
    for (const how of hows) this.#steps.push({ kind: 'resume', slot, how })
  }

  #closeSession(slot: number): void {
    this.#push(slot, [{ name: 'closeSession' }])
    if (this.#chance.is(0.3)) this.#resume(slot, 'after a disconnect')
    this.#connect(slot)
  }

  /** Bytes that may end the connection, and the connection after it. */
  #malformed(slot: number): void {
    const chance = this.#chance
    chance.weighted<() => unknown>([
      [3, () => this.#push(slot, [{ name: 'raw', op: chance.pick(UNKNOWN_OPS), body: Buffer.from('/zk') }])],
      [1, () => this.#push(slot, [{ name: 'raw', op: 20, body: this.#pathBody() }])],
      [2, () => this.#steps.push({ kind: 'noise', slot, bytes: chance.pick([TOO_LONG, NEGATIVE, SHORT, EMPTY]) })],
    ])()
    this.#resume(slot, 'after a disconnect')
  }

  #pathBody(): Buffer {
    const path = Buffer.from(this.#choices.path())
    const length = Buffer.alloc(4)
    length.writeInt32BE(path.length)
    return Buffer.concat([length, path])
  }

  #stranger(): void {
    const bytes = this.#chance.pick([Buffer.from(HTTP), TOO_LONG, NEGATIVE, SHORT, EMPTY])
    this.#steps.push({ kind: 'stranger', bytes })
  }

  #authenticate(slot: number): void {
    const chance = this.#chance
    const digest = (): Operation => ({ name: 'auth', scheme: 'digest', auth: Buffer.from(chance.pick(IDENTITIES)) })
    const operation = chance.weighted<() => Operation>([
      [12, digest],
      [2, () => ({ name: 'auth', scheme: 'ip', auth: Buffer.from('1.2.3.4') })],
      [1, () => ({ name: 'auth', scheme: chance.pick(['world', 'nobody-knows', '', 'auth']), auth: Buffer.of(1) })],
      [1, () => ({ name: 'sasl', token: Buffer.from('token') })],
    ])()
    const isRefusable = operation.name === 'auth' && operation.scheme !== 'digest'
    const request = { xid: operation.name === 'auth' ? -4 : this.#nextXid(slot), operation, damage: null }
    this.#steps.push({ kind: 'burst', slot, requests: [request] })
    if (isRefusable) this.#resume(slot, 'after a disconnect')
  }

  #burst(slot: number): void {
    const lengthMax = this.#hasQuota ? 1 : this.#chance.weighted([[3, 1], [3, 3], [2, 8]])
    const requests: Request[] = []
    do {
      const { request, isLast } = this.#request(slot)
      requests.push(request)
      if (isLast) break
    } while (requests.length < lengthMax)
    this.#steps.push({ kind: 'burst', slot, requests })
  }

  #push(slot: number, operations: readonly Operation[]): void {
    const requests = operations.map((operation) => ({ xid: this.#nextXid(slot), operation, damage: null }))
    this.#steps.push({ kind: 'burst', slot, requests })
  }

  #nextXid(slot: number): number {
    const chance = this.#chance
    if (chance.is(0.02)) return chance.pick([0, -7, XID_MAX, -8])
    const xid = (this.#xids[slot] ?? 0) + 1
    this.#xids[slot] = xid
    return xid
  }

  #makeTree(): void {
    const nodes = ['/a', '/b', '/a/x', '/a/y'].filter(() => this.#chance.is(0.8))
    for (const node of nodes) {
      const fields = { path: this.#root + node, data: this.#choices.data(null), acl: OPEN, flags: 0 }
      this.#push(this.#chance.below(SLOTS), [{ name: 'create', ...fields }])
    }
  }

  #makeQuota(): void {
    const base = `/zookeeper/quota${this.#root}`
    const limits = this.#chance.pick(QUOTAS)
    const make = (path: string, data: string): Operation => {
      return { name: 'create', path: base + path, data: Buffer.from(data), acl: OPEN, flags: 0 }
    }
    const stats = make('/a/zookeeper_stats', 'count=0,bytes=0')
    const nodes = [make('', ''), make('/a', ''), make('/a/zookeeper_limits', limits), stats]
    for (const node of nodes) this.#push(0, [node])
  }

  /** A request, and whether nothing may be pipelined after it. */
  #request(slot: number): { readonly request: Request; readonly isLast: boolean } {
    const operation = this.#operation(slot)
    const isWatches = operation.name === 'setWatches' || operation.name === 'setWatches2'
    const isPing = operation.name === 'ping'
    const xid = isPing ? -2 : isWatches && this.#chance.is(0.7) ? -8 : this.#nextXid(slot)
    const damage = isWatches || operation.name === 'addWatch' || !this.#chance.is(0.01) ? null : this.#damage()
    const isLast = damage !== null || operation.name === 'setACL' || isOdd(operation)
    return { request: { xid, operation, damage }, isLast }
  }

  #damage(): Damage {
    return { kind: this.#chance.pick(['cut', 'longer']), bytes: 1 + this.#chance.below(6) }
  }

  #operation(slot: number): Operation {
    const choices = this.#choices
    const chance = this.#chance
    return chance.weighted<() => Operation>([
      [20, () => this.#creation(choices.ownText())],
      [0.3, () => this.#unreadable()],
      [12, () => this.#deletion()],
      [12, () => this.#change(this.#dataPath())],
      [28, () => this.#read(slot)],
      [4, () => ({ name: chance.pick(['getACL', 'getAllChildrenNumber'] as const), path: choices.text() })],
      [2, () => ({ name: 'sync', path: choices.syncPath() })],
      [2, () => ({ name: 'getEphemerals', path: chance.pick([this.#root, '', '/', choices.text()]) })],
      [4, () => ({ name: 'setACL', path: this.#dataPath(), acl: choices.acl(), version: choices.version() })],
      [10, () => ({ name: 'multi', parts: this.#parts() })],
      [3, () => this.#multiRead(slot)],
      [1, () => ({ name: 'check', path: choices.stringPath(), version: choices.impossibleVersion() })],
      [6, () => this.#watchOperation(slot)],
      [2, () => ({ name: chance.pick(['ping', 'whoAmI'] as const) })],
      [0.5, () => this.#reconfig()],
    ])()
  }

  /** Not a node of the system, of which everyone's programs would see what became of it. */
  #dataPath(): Text {
    return this.#choices.ownText()
  }

  #deletion(): Operation {
    const path = this.#chance.is(0.95) ? this.#dataPath() : this.#choices.text()
    return { name: 'delete', path, version: this.#choices.version() }
  }

  #change(path: Text): Extract<Part, { name: 'setData' }> {
    return { name: 'setData', path, data: this.#choices.data(path), version: this.#choices.version() }
  }

  #read(slot: number): Operation {
    const name = this.#chance.pick(['exists', 'getData', 'getData', 'getChildren', 'getChildren2'] as const)
    const path = this.#choices.text()
    return { name, path, watch: !this.#choices.isPersistent(slot, path) && this.#chance.is(0.5) }
  }

  #multiRead(slot: number): Operation {
    const choices = this.#choices
    const parts = Array.from({ length: this.#chance.below(5) }, () => {
      const path = choices.stringPath()
      const watch = !choices.isPersistent(slot, path) && this.#chance.is(0.2)
      return { name: this.#chance.pick(['getData', 'getChildren'] as const), path, watch }
    })
    return { name: 'multiRead', parts }
  }

  #creation(wanted: Text): Creation {
    const path = wanted ?? this.#root
    const chance = this.#chance
    const choices = this.#choices
    const fields = (flags: number): CreateFields => {
      const isSequential = flags === 2 || flags === 3 || flags === 6
      const at = isSequential && (path === this.#root || chance.is(0.8)) ? choices.sequentialPath() : path
      return { path: at, data: choices.data(at), acl: choices.acl(), flags }
    }
    const name = chance.pick(['create', 'create2'] as const)
    if (typeof path === 'string' && path.endsWith('/zookeeper_stats')) return { name, ...fields(0) }
    return chance.weighted<() => Creation>([
      [8, () => ({ name, ...fields(0) })],
      [5, () => ({ name, ...fields(1) })],
      [4, () => ({ name, ...fields(2) })],
      [4, () => ({ name, ...fields(3) })],
      [1, () => ({ name, ...fields(4) })],
      [2, () => ({ name: 'createContainer', ...fields(4) })],
      [3, () => ({ name: 'createTTL', ...fields(chance.pick([5, 6])), ttl: 90_000n })],
      [0.4, () => ({ name: 'createTTL', ...fields(5), ttl: chance.pick([0n, -1n, 1n << 40n, (1n << 40n) - 1n]) })],
      [0.4, () => ({ name, ...fields(chance.pick([5, 6, 7, -1, 99])) })],
      [0.2, () => ({ name: 'createContainer', ...fields(chance.pick([0, 2, 9])) })],
    ])()
  }

  /** Deliberate difference "null-in-request": ours looks at nothing else of such a request, the reference may. */
  #unreadable(): Operation {
    const acl = [...OPEN, this.#chance.pick(NULL_ENTRIES)]
    const path = `${this.#root}/a`
    return this.#chance.pick<Operation>([
      { name: 'create', path, data: null, acl, flags: 0 },
      { name: 'setACL', path, acl, version: -1 },
      { name: 'create2', path: null, data: null, acl: OPEN, flags: 0 },
      { name: 'delete', path: null, version: -1 },
    ])
  }

  #parts(): Part[] {
    const choices = this.#choices
    const length = this.#chance.weighted([[1, 0], [3, 1], [4, 2], [3, 4], [1, 7]])
    const path = (): string => {
      const text = choices.ownText()
      return typeof text === 'string' ? text : this.#root
    }
    return Array.from({ length }, () =>
      this.#chance.weighted<() => Part>([
        [8, () => this.#creation(path())],
        [4, () => ({ name: 'delete', path: path(), version: choices.version() })],
        [5, () => this.#change(path())],
        [3, () => ({ name: 'check', path: path(), version: choices.version() })],
      ])(),
    )
  }

  #watchOperation(slot: number): Operation {
    const choices = this.#choices
    const chance = this.#chance
    const lists = (): { data: string[]; exist: string[]; child: string[] } => ({
      data: choices.standardPaths(slot),
      exist: choices.standardPaths(slot),
      child: choices.standardPaths(slot),
    })
    const zxidsBack = chance.pick([0, 0, 3, 20, 200])
    const type = chance.weighted([[2, 1], [2, 2], [4, 3], [0.3, 4], [0.3, 0], [0.3, 99]])
    const persistent = choices.persistentPaths(slot)
    return chance.weighted<() => Operation>([
      [6, () => this.#addWatch(slot, persistent)],
      [4, () => ({ name: 'removeWatches', path: choices.stringPath(), type })],
      [4, () => ({ name: 'checkWatches', path: choices.stringPath(), type })],
      [2, () => ({ name: 'setWatches', zxidsBack, ...lists() })],
      [
        2,
        () => {
          const recursive = choices.persistentPaths(slot)
          return { name: 'setWatches2', zxidsBack, ...lists(), persistent, recursive }
        },
      ],
    ])()
  }

  #addWatch(slot: number, persistent: readonly string[]): Operation {
    const path = persistent.length > 0 ? this.#chance.pick(persistent) : this.#root
    if (!this.#choices.isPersistent(slot, path)) return { name: 'ping' }
    return { name: 'addWatch', path, mode: this.#chance.weighted([[6, 0], [6, 1], [0.5, 2], [0.5, -1]]) }
  }

  #reconfig(): Operation {
    const members = this.#chance.pick([null, 'server.1=127.0.0.1:2:3;4'])
    return { name: 'reconfig', joining: null, leaving: '3', members, config: -1n }
  }
}

/** Whether the reference may find it malformed half way, and judge what follows by whether it has taken that back. */
function isOdd(operation: Operation): boolean {
  if (operation.name === 'multi') return operation.parts.some(isOdd)
  if (!('acl' in operation) || operation.name === 'setACL') return false
  const hasNull = operation.acl === null || operation.acl.some(({ scheme, id }) => scheme === null || id === null)
  const isTtl = operation.flags === 5 || operation.flags === 6
  const isOddFlag = operation.flags < 0 || operation.flags > 6
  const isContainer = operation.name === 'createContainer' && operation.flags !== 4
  return hasNull || isOddFlag || isContainer || isTtl !== (operation.name === 'createTTL')
}
