/**
 * Waits a little for a release, within a wait that is over: the client closes only when its waits have ended, so none
 * of them may wait for servers that are out of reach.
 */
import { abortable } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { Cleanups } from './cleanups.ts'

/**
 * Waits for a release as long as a clean-up is waited for; after that it goes on in the background.
 *
 * @param releasing - never rejects
 */
export async function handBack(client: Client, releasing: Promise<void>): Promise<void> {
  await Cleanups.of(client).confirmOrHandOver((signal) => abortable(releasing, signal))
}
