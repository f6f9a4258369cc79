/**
 * Where a server runs, as `envi` tells it.
 *
 * Source    Environment.java of ZooKeeper 3.8.
 */
import { arch, homedir, hostname, platform, release, tmpdir, userInfo } from 'node:os'

const BYTES_PER_MB = 1024 * 1024

/** Keys of the reference, those of Java in the words of Node. */
export function environmentEntries(version: string): readonly (readonly [string, string])[] {
  const { heapTotal, heapUsed, rss } = process.memoryUsage()
  const mb = (bytes: number): string => `${Math.trunc(bytes / BYTES_PER_MB)}MB`
  return [
    ['zookeeper.version', version],
    ['host.name', hostname()],
    ['node.version', process.version],
    ['node.home', process.execPath],
    ['java.io.tmpdir', tmpdir()],
    ['os.name', platform()],
    ['os.arch', arch()],
    ['os.version', release()],
    ['user.name', userName()],
    ['user.home', homedir()],
    ['user.dir', process.cwd()],
    ['os.memory.free', mb(heapTotal - heapUsed)],
    ['os.memory.max', mb(rss)],
    ['os.memory.total', mb(heapTotal)],
  ]
}

/** A process in a container may run as a user that has no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return '<NA>'
  }
}
