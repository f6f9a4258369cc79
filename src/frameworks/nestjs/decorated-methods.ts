/** Methods that carry a decorator of ours: which ones an instance has, and how one is wrapped. */
import 'reflect-metadata'

/** A method that returns a promise. */
export type AsyncMethod = (...args: never[]) => Promise<unknown>

/** A decorator for methods of this type. */
export type DecoratorFor<M> = <T extends M>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<T>,
) => void

/** A method as it is called: with `this`, and arguments that nobody here looks at. */
export type CalledMethod = (this: object, ...args: unknown[]) => unknown

/** The notes of one decorator: what it says about which methods of which class. */
export class MethodNotes<N> {
  readonly #notes = new WeakMap<object, Map<string | symbol, N[]>>()

  /**
   * Notes something about a method.
   *
   * @param prototype - of the class that has it
   * @param name - of the method
   * @param note - about it; there may be several
   */
  add(prototype: object, name: string | symbol, note: N): void {
    const ofClass = this.#notes.get(prototype) ?? new Map<string | symbol, N[]>()
    ofClass.set(name, [...ofClass.get(name) ?? [], note])
    this.#notes.set(prototype, ofClass)
  }

  /** Lists the notes about an instance's methods, those of its base classes too, unless they are overridden. */
  of(instance: object): { readonly name: string | symbol; readonly note: N }[] {
    const found: { readonly name: string | symbol; readonly note: N }[] = []
    const seen = new Set<string | symbol>()
    for (let at = prototypeOf(instance); at !== null; at = prototypeOf(at)) {
      const own = [...this.#notes.get(at) ?? []].filter(([name]) => !seen.has(name))
      found.push(...own.flatMap(([name, notes]) => notes.map((note) => ({ name, note }))))
      for (const name of Reflect.ownKeys(at)) seen.add(name)
    }
    return found
  }
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null
}

/**
 * Replaces a method by one that calls it. The new one has the name of the old one, and what other decorators have
 * noted on it, such as the route of a controller.
 *
 * @param descriptor - of the method
 * @param wrap - gets the method, and returns the one to call instead
 */
export function wrapMethod<T>(
  descriptor: TypedPropertyDescriptor<T>,
  wrap: (method: CalledMethod) => CalledMethod,
): void {
  const method = descriptor.value as CalledMethod
  const wrapped = wrap(method)
  Object.defineProperty(wrapped, 'name', { value: method.name, configurable: true })
  for (const key of Reflect.getMetadataKeys(method) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapped)
  }
  descriptor.value = wrapped as T
}

/**
 * Takes what Nest has injected into an instance for a decorator.
 *
 * @param instance - of the class whose method is decorated
 * @param key - of the property
 * @param decorator - for the message
 * @throws TypeError if Nest has injected nothing: the class is no provider, or the module is not imported
 */
export function injectedInto(instance: object, key: symbol, decorator: string): unknown {
  const value = (instance as Record<symbol, unknown>)[key]
  if (value !== undefined) return value
  const { name } = instance.constructor
  throw new TypeError(`${decorator} needs a class that Nest makes: list ${name} as a provider or a controller, and `
    + 'import QuorateModule.forRoot() in the application\'s module')
}
