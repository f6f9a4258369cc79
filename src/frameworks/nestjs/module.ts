/** The module: connects when the application starts, and closes when it ends. */
import { ConfigurableModuleBuilder, Module } from '@nestjs/common'
import type { ConfigurableModuleAsyncOptions, DynamicModule } from '@nestjs/common'
import { DiscoveryModule, DiscoveryService } from '@nestjs/core'
import type { Client } from '../../core/client.ts'
import { openApplicationClient } from '../application-client.ts'
import { QuorateHealthIndicator } from './health.ts'
import { lockProviders } from './inject.ts'
import { Leaderships } from './leader-only.ts'
import { QuorateLife } from './life.ts'
import { QUORATE_CLIENT } from './options.ts'
import type { QuorateModuleOptions } from './options.ts'

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<QuorateModuleOptions>()
  .setClassMethodName('forRoot')
  .setExtras({}, (definition) => withLocks({ ...definition, global: true }))
  .build()

/**
 * Quorate in a Nest application. Import `QuorateModule.forRoot({ backend })`, or
 * `forRootAsync({ inject, useFactory })`, once; what it provides is there in every module, the locks that `@InjectLock`
 * has asked for by then too.
 */
export class QuorateModule extends ConfigurableModuleClass {
  /**
   * Connects with these options when the application starts.
   *
   * @param options - the engine, or a client that is there; wrong ones end the start
   */
  static override forRoot(options: QuorateModuleOptions): DynamicModule {
    return super.forRoot(options)
  }

  /**
   * The same with options that a factory or a class makes.
   *
   * @param options - `useFactory` with `inject`, `useClass` or `useExisting`, and `imports`
   */
  static override forRootAsync(options: ConfigurableModuleAsyncOptions<QuorateModuleOptions>): DynamicModule {
    return super.forRootAsync(options)
  }
}

const openClient = (options: QuorateModuleOptions): Promise<Client> => openApplicationClient(options, 'QuorateModule')

Module({
  imports: [DiscoveryModule],
  providers: [
    Leaderships,
    QuorateHealthIndicator,
    { provide: QUORATE_CLIENT, inject: [MODULE_OPTIONS_TOKEN], useFactory: openClient },
    {
      provide: QuorateLife,
      inject: [QUORATE_CLIENT, MODULE_OPTIONS_TOKEN, DiscoveryService, Leaderships],
      useFactory: (...parts: ConstructorParameters<typeof QuorateLife>) => new QuorateLife(...parts),
    },
  ],
  exports: [QUORATE_CLIENT, Leaderships, QuorateHealthIndicator],
})(QuorateModule)

function withLocks(definition: DynamicModule): DynamicModule {
  const locks = lockProviders()
  const { providers = [], exports = [] } = definition
  const tokens = locks.map(({ provide }) => provide)
  return { ...definition, providers: [...providers, ...locks], exports: [...exports, ...tokens] }
}
