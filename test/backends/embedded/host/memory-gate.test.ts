import { describe, expect, it } from 'vitest'
import { MemoryGate } from '../../../../src/backends/embedded/host/memory-gate.ts'
import { memoryPercent, youngBytesOf } from '../../../../src/backends/embedded/host/memory-use.ts'

function gateOver(values: readonly number[]): { readonly gate: MemoryGate; readonly asked: () => number } {
  let asked = 0
  const measure = (): number => {
    asked += 1
    return values[asked - 1] ?? 0
  }
  return { gate: new MemoryGate({ heapThrottlePercent: 85, heapRefusePercent: 92, measure }), asked: () => asked }
}

describe('writes that need memory', () => {
  it('are slowed from one level on, refused from another, and done again below them by some percent', () => {
    const uses = [0, 84.9, 85, 91.9, 92, 90.1, 89.9, 83.1, 82.9, 99]
    const { gate } = gateOver(uses)
    expect(uses.map((_, index) => gate.admission(20 * index))).toEqual([
      'open', 'open', 'slow', 'slow', 'refused', 'refused', 'slow', 'slow', 'open', 'refused',
    ])
  })

  it('are judged by one measurement for a while', () => {
    const { gate, asked } = gateOver([95, 10])
    expect([0, 5, 19.9].map((nowMs) => gate.admission(nowMs))).toEqual(['refused', 'refused', 'refused'])
    expect([asked(), gate.admission(20), asked()]).toEqual([1, 'open', 2])
  })
})

describe('the memory in use', () => {
  it('is a share of what there is', () => {
    expect(memoryPercent()).toBeGreaterThan(0)
    expect(memoryPercent()).toBeLessThan(100)
  })

  it('leaves out the room of the young generation, as options of Node.js have it', () => {
    const mib = 0x10_0000
    expect(youngBytesOf([])).toBe(48 * mib)
    expect(youngBytesOf(['--max-old-space-size=64', '--max-semi-space-size=4'])).toBe(12 * mib)
    expect(youngBytesOf(['', '--trace-gc --max_semi_space_size=64'])).toBe(192 * mib)
  })
})
