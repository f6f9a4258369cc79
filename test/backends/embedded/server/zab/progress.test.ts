import { describe, expect, it } from 'vitest'
import { Progress } from '../../../../../src/backends/embedded/server/zab/progress.ts'

function progress(): Progress {
  return new Progress({ id: 1, link: 7, votes: true, acceptedEpoch: 3, isPlain: false })
}

describe('the progress of a learner', () => {
  it('goes from the epoch into the stream, and is synchronised from what stood in the stream before NEWLEADER', () => {
    const learner = progress()
    const steps: unknown[] = []
    const look = (): number => steps.push([learner.lastZxid, learner.inStream, learner.synced, learner.ackedZxid])
    look()
    learner.acknowledgeEpoch(2n)
    look()
    learner.enterStream(5n)
    look()
    learner.acknowledgeHistory()
    look()
    learner.acknowledge(6n, 8n)
    look()
    expect(steps).toEqual([
      [null, false, false, null],
      [2n, false, false, null],
      [2n, true, false, null],
      [2n, true, true, 5n],
      [2n, true, true, 6n],
    ])
  })

  it('takes no step twice, early or back', () => {
    const learner = progress()
    expect(() => { learner.enterStream(0n) }).toThrow('its log is not known')
    expect(() => { learner.acknowledgeHistory() }).toThrow('acknowledged its history')
    expect(() => { learner.acknowledge(1n, 9n) }).toThrow('server 1 acknowledged 0x1 before NEWLEADER')
    learner.acknowledgeEpoch(0n)
    expect(() => { learner.acknowledgeEpoch(0n) }).toThrow('twice')
    learner.enterStream(4n)
    expect(() => { learner.enterStream(4n) }).toThrow('twice')
    learner.acknowledgeHistory()
    expect(() => { learner.acknowledgeHistory() }).toThrow('twice')
    for (const zxid of [3n, 4n, 10n]) expect(() => { learner.acknowledge(zxid, 9n) }).toThrow('unexpected ACK')
    learner.acknowledge(9n, 9n)
    expect(learner.ackedZxid).toBe(9n)
  })
})
