/** A small application of Nest, as its users write one. */
import 'reflect-metadata'
import { Controller, Get, Injectable, Module, Param, Post, SetMetadata } from '@nestjs/common'
import { HealthCheckService, TerminusModule } from '@nestjs/terminus'
import type { HealthCheckResult } from '@nestjs/terminus'
import type { Client, ConfigChange, ExclusiveLock, FairLock } from 'quorate'
import { InjectClient, InjectLock, LeaderOnly, OnConfig, QuorateHealthIndicator, WithLock } from 'quorate/nestjs'
import { currentLease, currentLeadership } from 'quorate/nestjs'

export interface Limits {
  readonly perMinute: number
}

/** A record of all that happened, for the test. */
@Injectable()
export class Diary {
  readonly lines: string[] = []
  /** Called within the work, for the test to hold it up. */
  pause: () => Promise<void> = () => Promise.resolve()
}

class Base {
  limits: ConfigChange<Limits, Limits>[] = []

  @OnConfig<Limits, Limits>('/config/limits', { default: { perMinute: 1 } })
  onLimits(change: ConfigChange<Limits, Limits>): void {
    this.limits.push(change)
  }
}

@Injectable()
export class Orders extends Base {
  @InjectLock('/locks/books', 'exclusive')
  readonly books!: ExclusiveLock

  readonly diary: Diary
  readonly stock: FairLock
  readonly client: Client

  constructor(diary: Diary, @InjectLock('/locks/stock') stock: FairLock, @InjectClient() client: Client) {
    super()
    this.diary = diary
    this.stock = stock
    this.client = client
  }

  @WithLock((id: string) => `/locks/orders-${id}`, { waitMs: 2_000 })
  async charge(id: string): Promise<bigint | undefined> {
    const lease = currentLease()
    this.diary.lines.push(`charge ${id} ${lease?.path.startsWith(`/locks/orders-${id}/`) === true}`)
    await this.diary.pause()
    this.diary.lines.push(`charged ${id}`)
    return currentLease()?.token
  }

  @LeaderOnly('/elections/clean-up')
  async cleanUp(): Promise<void> {
    this.diary.lines.push(`clean-up ${currentLeadership()?.state}`)
    await this.diary.pause()
    this.diary.lines.push('cleaned up')
  }
}

@Controller('orders')
export class OrdersController {
  readonly #health: HealthCheckService
  readonly #indicator: QuorateHealthIndicator

  constructor(health: HealthCheckService, indicator: QuorateHealthIndicator) {
    this.#health = health
    this.#indicator = indicator
  }

  // Above and below what @WithLock replaces.
  @Post(':id')
  @WithLock('/locks/controller')
  @SetMetadata('kind', 'order')
  async place(@Param('id') id: string): Promise<{ id: string; fenced: boolean }> {
    return Promise.resolve({ id, fenced: currentLease() !== undefined })
  }

  @Get('health')
  check(): Promise<HealthCheckResult> {
    return this.#health.check([() => this.#indicator.isHealthy('locks')])
  }
}

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [OrdersController],
  providers: [Diary, Orders],
})
export class OrdersModule {}
