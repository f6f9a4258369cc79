/** Elections: who leads, what that one proclaims, and who stands by. */
import type { Client } from '../../core/client.ts'
import { compareSequence, joinPath } from '../../core/path.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import { CANDIDATE_NAMES } from '../../recipes/leader/candidate-names.ts'
import { readNote } from '../../recipes/leader/leader-note.ts'
import type { Answer, Contender, Election } from '../api.ts'
import { answer, hex, says, textOf } from './reading.ts'
import { untoldOf, walk } from './walk.ts'

/** The most candidates of an election that are read. */
const CANDIDATES_MAX = 200

/** Reads the elections below the roots that somebody stands in. */
export async function readElections(
  client: Client,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<Answer<Election[]>> {
  const walked = await walk(client, roots, signal, ({ names }) => candidatesOf(names).length === 0)
  const found = walked.met.filter(({ names }) => candidatesOf(names).length > 0)
  const elections = await readEach(found, ({ path, names }) => readElection(client, path, names, signal))
  const untold: Record<string, string> = untoldOf(walked)
  const all = elections.filter(({ candidates }) => candidates.length > 0)
  return answer(all.sort((a, b) => (a.path < b.path ? -1 : 1)), { total: all.length, untold })
}

function candidatesOf(names: readonly string[]): string[] {
  const found = names.map((name) => CANDIDATE_NAMES.parse(name)).filter((candidate) => candidate !== null)
  return found.sort((a, b) => compareSequence(a.sequence, b.sequence)).map(({ name }) => name)
}

async function readElection(
  client: Client,
  path: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Election> {
  const shown = candidatesOf(names).slice(0, CANDIDATES_MAX)
  const [nodes, note] = await Promise.all([
    readEach(shown, (name) => unlessGone(client.get(joinPath(path, name), { signal }))),
    readNote(client, path, signal),
  ])
  const candidates = nodes.flatMap((node, index) => {
    return node === null ? [] : [{ ...node, path: joinPath(path, shown[index] ?? '') }]
  }).map(({ path: own, data, stat }, position): Contender => ({
    path: own,
    position,
    kind: 'leadership',
    state: position === 0 ? 'held' : 'waits',
    session: hex(stat.ephemeralOwner),
    says: says(data),
    sinceMs: stat.ctime,
    token: String(stat.czxid),
  }))
  const [leader = null] = candidates
  const isOfLeader = note !== null && note.data.length > 0 && String(note.token) === leader?.token
  return { path, leader, candidates, proclaims: isOfLeader ? textOf(note.data) : null }
}
