/** The drawing, as a sentence. */
import type { ServerView } from './messages.ts'
import type { Numbers } from './numbers.ts'

/** The state of the ensemble. */
export function sentenceOf(servers: readonly ServerView[], numbers: Numbers): string {
  if (servers.length === 0) return 'Three servers start.'
  const leader = servers.find(({ role, serving }) => role === 'LEADING' && serving)
  const serving = servers.filter((server) => server.serving).length
  if (leader !== undefined) {
    const epoch = numbers.epoch(leader.epoch)
    return `Server ${leader.id} leads epoch ${epoch}. ${serving} of ${servers.length} servers serve.`
  }
  const reachable = servers.filter(({ role, isCutOff }) => role !== 'DOWN' && !isCutOff).length
  return reachable > servers.length / 2
    ? 'No leader: the servers vote.'
    : 'No majority: nothing is served, and nothing is wrong.'
}
