/** Elections, as tools see them, which do not know whose candidates stand there. */
import type { Client } from '../../core/client.ts'
import { unlessGone } from '../../core/read-each.ts'
import type { Codec } from '../engine/codec.ts'
import { CANDIDATE_NAMES } from './candidate-names.ts'
import { LeaderElection } from './leader-election.ts'
import type { ElectionState } from './leader-view.ts'

/**
 * Reads an election of any layout. Without candidates it has no leader.
 *
 * @param codec - of what leaders proclaim
 */
export async function readElection<T>(
  client: Client,
  path: string,
  codec: Codec<T>,
  signal: AbortSignal,
): Promise<ElectionState<T>> {
  await client.sync(path, { signal })
  const names = (await unlessGone(client.children(path, { signal })))?.names ?? []
  // Candidates of a selector and of kazoo's elections are locks, and known to each other.
  const layout = names.some((name) => CANDIDATE_NAMES.parse(name) !== null) ? 'latch' : 'selector'
  const election = new LeaderElection<T>(client, path, { layout, codec })
  const [leader, candidates] = await Promise.all([election.leader({ signal }), election.candidates({ signal })])
  return { leader, candidates }
}
