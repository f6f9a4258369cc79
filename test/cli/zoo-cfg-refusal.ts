/** Why a configuration file of ZooKeeper is refused. */
import { Failure } from '../../src/cli/exit-status.ts'
import { readZooCfg } from '../../src/cli/zoo-cfg.ts'

/** The name of the file in messages. */
export const FILE = 'conf/zoo.cfg'

/** The message of the refusal; 'accepted' if there is none. */
export function refusalOf(text: string): string {
  try {
    readZooCfg(text, FILE)
  } catch (error) {
    if (error instanceof Failure) return error.message
    throw error
  }
  return 'accepted'
}
