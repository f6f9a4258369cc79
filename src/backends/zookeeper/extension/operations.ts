/**
 * The operations of ZooKeeper's protocol beyond the contract of a backend, for tools. Paths are those of the client,
 * under the chroot of its connection.
 */
import { OpCode } from '../../wire/codes.ts'
import type { Acl, ClientInfo, ReplyBodies, RequestBodies } from '../../wire/records.ts'
import type { Stat } from '../../../core/backend.ts'
import { Namespace } from '../../../core/session/namespaced.ts'
import { validatePath, validatePrefix } from '../../../core/path.ts'
import type { PersistentWatchMode, PersistentWatcher, SideRequests } from './side-requests.ts'

/** How {@link ZooKeeperOperations.create} makes a node. */
export interface CreateWithAcl {
  /** CreateFlag of codes.ts. */
  readonly flags: number
  /** Its access control list. */
  readonly acl: readonly Acl[]
  /** Milliseconds to live, with the flags that have one. */
  readonly ttlMs: number | undefined
}

/** A change of the servers: one list that takes the place of all, or some that leave and some that join. */
export type ServerChange =
  | { readonly members: readonly string[] }
  | { readonly joining: readonly string[]; readonly leaving: readonly string[] }

/** The servers of the ensemble, as their configuration says. */
export interface ServersInForce {
  /** A line per server, then its version. */
  readonly text: string
  readonly stat: Stat
}

/** Where the servers keep it; above every chroot. */
const CONFIG_PATH = '/zookeeper/config'

/** The operations of ZooKeeper that other engines have not. */
export class ZooKeeperOperations {
  readonly #requests: SideRequests
  readonly #chroot: Namespace

  /**
   * Makes them.
   *
   * @param requests - on the connection of the session that the client has
   * @param chroot - where the client's paths begin
   */
  constructor(requests: SideRequests, chroot: string) {
    this.#requests = requests
    this.#chroot = new Namespace(chroot)
  }

  /** Reads who may do what with a node. */
  getAcl(path: string): Promise<{ readonly acl: readonly Acl[]; readonly stat: Stat }> {
    return this.#request(OpCode.getAcl, path, (resolved) => ({ path: resolved }))
  }

  /** Says who may do what with a node; `version` is that of its list, -1 for any. */
  async setAcl(path: string, acl: readonly Acl[], version: number): Promise<Stat> {
    return (await this.#request(OpCode.setAcl, path, (resolved) => ({ path: resolved, acl, version }))).stat
  }

  /** Creates a node with a list of its own, or of a kind that the contract has not. */
  async create(path: string, data: Uint8Array, { flags, acl, ttlMs }: CreateWithAcl): Promise<string> {
    validatePrefix(path)
    const prefix = this.#chroot.resolvePrefix(path)
    const body = { path: prefix, data, acl, flags }
    const made =
      ttlMs === undefined
        ? this.#requests.request(OpCode.create2, body, prefix)
        : this.#requests.request(OpCode.createTTL, { ...body, ttl: BigInt(ttlMs) }, prefix)
    return this.#chroot.strip((await this.#chroot.seen(made)).path)
  }

  /** The ephemeral nodes of this session whose paths begin so. */
  async ephemerals(prefix: string): Promise<readonly string[]> {
    const { ephemerals } = await this.#request(OpCode.getEphemerals, prefix, (prefixPath) => ({ prefixPath }))
    return ephemerals.filter((path) => this.#chroot.holds(path)).map((path) => this.#chroot.strip(path))
  }

  /** How many nodes are below a node. */
  async allChildrenNumber(path: string): Promise<number> {
    return (await this.#request(OpCode.getAllChildrenNumber, path, (resolved) => ({ path: resolved }))).totalNumber
  }

  /** Who the servers take this connection for. */
  async whoAmI(): Promise<readonly ClientInfo[]> {
    return (await this.#requests.request(OpCode.whoAmI, null, '')).clientInfo
  }

  /** Reads who the servers are, from outside of the chroot. */
  async servers(): Promise<ServersInForce> {
    const body = { path: CONFIG_PATH, watch: false }
    const { data, stat } = await this.#requests.request(OpCode.getData, body, CONFIG_PATH)
    return { text: textOf(data), stat }
  }

  /**
   * Adds servers, removes them, or changes their roles.
   *
   * @param change - servers as `server.4=host:2888:3888:participant;2181`; those that leave, by id
   * @param version - of the configuration that is changed; -1n for whichever it is
   * @throws CoordinationError `NO_AUTH` if this is not the superuser, nor somebody whom the list of /zookeeper/config
   * names; `RECONFIG_REFUSED`, `BAD_VERSION`, `BAD_ARGUMENTS`
   */
  async reconfigure(change: ServerChange, version: bigint): Promise<ServersInForce> {
    const whole = 'members' in change
    const list = (entries: readonly string[]): string | null => (entries.length === 0 ? null : entries.join(','))
    const { data, stat } = await this.#requests.request(OpCode.reconfig, {
      joiningServers: whole ? null : list(change.joining),
      leavingServers: whole ? null : list(change.leaving),
      newMembers: whole ? change.members.join(',') : null,
      curConfigId: version,
    }, CONFIG_PATH)
    return { text: textOf(data), stat }
  }

  /** Proves to the servers who this is. */
  addAuth(scheme: string, auth: string): Promise<void> {
    return this.#requests.addAuth(scheme, new TextEncoder().encode(auth))
  }

  /** Sets a watch that stays. */
  addWatch(path: string, mode: PersistentWatchMode, watcher: PersistentWatcher): Promise<void> {
    validatePath(path)
    const translated: PersistentWatcher = (event) => {
      watcher({ type: event.type, path: this.#chroot.strip(event.path) })
    }
    return this.#chroot.seen(this.#requests.addWatch(this.#chroot.resolve(path), mode, translated))
  }

  /** Removes this session's watches on a node; `type` is a WatcherType of codes.ts. */
  removeWatches(path: string, type: number): Promise<void> {
    return this.#chroot.seen(this.#requests.removeWatches(this.#chroot.resolve(path), type))
  }

  /** Asks about a node; an error names its path as the client has it. */
  async #request<O extends keyof RequestBodies>(
    op: O,
    path: string,
    body: (resolved: string) => RequestBodies[O],
  ): Promise<ReplyBodies[O]> {
    validatePath(path)
    const resolved = this.#chroot.resolve(path)
    return this.#chroot.seen(this.#requests.request(op, body(resolved), resolved))
  }
}

function textOf(data: Uint8Array | null): string {
  return new TextDecoder().decode(data ?? new Uint8Array())
}
