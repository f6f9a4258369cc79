/**
 * `quorate/nestjs`: a module for Nest applications, with locks, configurations and leadership by decorators. It needs
 * `@nestjs/common` and `@nestjs/core`, optional peers.
 *
 * @packageDocumentation
 */
export { QuorateModule } from './module.ts'
export type { ApplicationClientOptions } from '../application-client.ts'
export { QUORATE_CLIENT } from './options.ts'
export type { QuorateModuleOptions } from './options.ts'
export type { AsyncMethod, DecoratorFor } from './decorated-methods.ts'
export { InjectClient, InjectLock, lockToken } from './inject.ts'
export type { Injection, LockKind } from './inject.ts'
export { WithLock, currentLease } from './with-lock.ts'
export type { LockPath, WithLockOptions } from './with-lock.ts'
export { OnConfig } from './on-config.ts'
export type { ConfigMethod, OnConfigOptions } from './on-config.ts'
export { LeaderOnly, Leaderships, currentLeadership } from './leader-only.ts'
export { QuorateHealthIndicator } from './health.ts'
export type { QuorateHealth } from './health.ts'
