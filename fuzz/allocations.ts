/**
 * Counts the bytes of the arrays that are made: memory that is taken for a length which nobody has checked is free
 * again before anybody looks, but not uncounted.
 *
 * Model     in the thread of a target, what makes arrays of bytes counts first. Code that kept one of these from before
 *           is not counted, so this is to be loaded before the code under test.
 */

let countedBytes = 0

/** How many bytes were asked for since the last call; counting begins with the first. */
export function takeAllocatedBytes(): number {
  const bytes = countedBytes
  countedBytes = 0
  return bytes
}

function count(length: unknown): void {
  if (typeof length === 'number' && length > 0) countedBytes += length
}

/** Begins to count, for the life of the thread. */
function countFromNowOn(): void {
  for (const name of ['Uint8Array', 'ArrayBuffer'] as const) {
    const original: NewableFunction = globalThis[name]
    const counted: NewableFunction = new Proxy(original, {
      construct(target, args: unknown[], newTarget): object {
        count(args[0])
        return Reflect.construct(target, args, newTarget === counted ? target : newTarget) as object
      },
    })
    Object.defineProperty(globalThis, name, { value: counted, writable: true, configurable: true })
  }
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const) {
    const original = Buffer[name].bind(Buffer)
    Object.defineProperty(Buffer, name, {
      value: (length: number, ...rest: []) => {
        count(length)
        return original(length, ...rest)
      },
    })
  }
}

countFromNowOn()
