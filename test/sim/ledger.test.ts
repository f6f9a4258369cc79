import { describe, expect, it } from 'vitest'
import { ScriptedWorld, at, refuses, set } from './scripted-world.ts'

describe('the ledger', () => {
  const make = (): ScriptedWorld => ScriptedWorld.with((world) => world.ledger).world

  it('accepts servers that apply one history, each at its own pace', () => {
    const world = make()
    world.commit(at(1, 3), set('/a', '2', 1), { by: [2] })
    world.apply(1, at(1, 3))
    expect(world.ledger.committed.map(({ zxid }) => zxid)).toEqual([at(1, 1), at(1, 2), at(1, 3)])
    expect(world.ledger.model.zxid).toBe(at(1, 3))
  })

  it('P3: refuses a server that applies something else at the same place', () => {
    const world = make()
    world.log(at(1, 3), set('/a', '2', 1), [1, 2])
    world.apply(1, at(1, 3))
    world.log(at(2, 1), set('/a', '3', 1), [3])
    refuses(/P3: server 3 applied 0x200000001 where 0x100000003/, () => world.apply(3, at(2, 1)))
  })

  it('P3: refuses a server that goes back', () => {
    const world = make()
    refuses(/P3: server 1 went from/, () => world.apply(1, at(1, 1)))
  })

  it('P5: refuses what is applied and not durable there', () => {
    const world = make()
    world.log(at(1, 3), set('/a', '2', 1), [2, 3])
    refuses(/P5: server 1 applied 0x100000003, its disk ends at 0x100000002/, () => world.apply(1, at(1, 3)))
  })

  it('P5: refuses what is applied before a majority has it, though some later lose it', () => {
    const world = make()
    world.log(at(1, 3), set('/a', '2', 1), [1])
    refuses(/P5: 0x100000003 was applied when it was durable on servers 1 only/, () => world.apply(1, at(1, 3)))
    const lossy = make()
    lossy.log(at(1, 3), set('/a', '2', 1), [1, 2])
    lossy.server(2).disk.observer?.wiped()
    lossy.apply(1, at(1, 3))
    expect(lossy.ledger.isCommitted(at(1, 3))).toBe(true)
  })

  it('P6: refuses a zxid that stands for two transactions', () => {
    const world = make()
    world.log(at(1, 3), set('/a', '2', 1), [1])
    refuses(/P6: 0x100000003/, () => world.log(at(1, 3), set('/a', '3', 1), [2]))
  })

  it('P7 and P8: refuses a log with a gap, and one whose epochs fall', () => {
    refuses(/P7/, () => make().log(at(1, 4), set('/a', '2', 1), [1]))
    refuses(/P7/, () => make().log(at(2, 2), set('/a', '2', 1), [1]))
    refuses(/P7/, () => make().log(at(0, 1), set('/a', '2', 1), [1]))
  })

  it('P11: refuses a snapshot of a state that nobody has applied', () => {
    const state = new Uint8Array()
    refuses(/P11/, () => make().persist(3, { type: 'install', zxid: at(1, 9), chunks: [state] }))
  })

  it('P11: refuses a server whose state is ahead of its log', () => {
    const world = make()
    const server = world.server(1)
    server.status = { ...server.status, loggedZxid: at(1, 1) }
    refuses(/P11: server 1 applied 0x100000002, which is behind the end of its log/, () => world.look(server.node))
  })

  it('P2: refuses epochs that fall on a disk, and a current one that was not accepted', () => {
    const epochs = (acceptedEpoch: number, currentEpoch: number) => {
      return { type: 'epochs', acceptedEpoch, currentEpoch, votes: true } as const
    }
    const world = make()
    world.persist(1, epochs(3, 2))
    refuses(/P2/, () => world.persist(1, epochs(2, 2)))
    refuses(/P2/, () => world.persist(1, epochs(3, 1)))
    refuses(/P2/, () => world.persist(1, epochs(3, 4)))
  })
})
