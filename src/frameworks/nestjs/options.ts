/** The options of the module, and the name under which Nest knows its client. */
import type { ApplicationClientOptions } from '../application-client.ts'

/** Options of {@link QuorateModule}: what to connect to, or a client that is there. */
export type QuorateModuleOptions = ApplicationClientOptions

/** Under this the module provides the client; {@link InjectClient} asks for it. */
export const QUORATE_CLIENT = Symbol('quorate client')
