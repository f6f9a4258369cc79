/** A subject of the conformance suite whose sessions are all under one node of its servers. */
import type { Backend } from '../../src/core/backend.ts'
import { makePath } from '../../src/core/make-path.ts'
import { namespaced } from '../../src/core/session/namespaced.ts'
import type { Subject } from '../../src/testing/index.ts'

/**
 * Puts a subject under a root, which is made.
 *
 * @param root - a valid path
 */
export async function namespacedSubject(subject: Subject, root: string): Promise<Subject> {
  const { backend, control = {} } = subject
  const first = await backend.open({ onError: () => undefined })
  await makePath(first, root, 'persistent', undefined)
  await first.close()
  const { unreachable } = control
  return {
    backend: under(backend, root),
    control: {
      ...control,
      ...(unreachable === undefined ? {} : { unreachable: async () => under(await unreachable(), root) }),
    },
    close: () => subject.close(),
  }
}

function under(backend: Backend, root: string): Backend {
  return {
    name: `${backend.name} under ${root}`,
    capabilities: backend.capabilities,
    open: async (options) => namespaced(await backend.open(options), root),
  }
}
