// How a service runs: a Lifecycle around `start` and `stop`.

import type { Process, ProcessHooks, ProcessInfo, TreeEnv } from "./child-spec.ts"
import type { ExitReason } from "./exit.ts"
import { Lifecycle, type LifeSettings } from "./lifecycle.ts"
import type { Down } from "./links.ts"
import type { RunningService, ServiceContext, ServiceSpec } from "./service.ts"
import { isPromise } from "./settle.ts"

export interface ServiceSettings extends LifeSettings {
  readonly start: ServiceSpec["start"]
}

export class ServiceProcess implements Process {
  readonly inbox: undefined = undefined
  readonly pool: undefined = undefined
  readonly supervisor: undefined = undefined
  readonly handled: undefined = undefined
  readonly mailboxDepth: undefined = undefined
  private readonly life: Lifecycle
  private running: RunningService | undefined

  constructor(settings: ServiceSettings, env: TreeEnv, hooks: ProcessHooks) {
    this.life = new Lifecycle(settings, env, hooks, {
      begin: () => {
        const result = settings.start(this.context(settings.id, env, hooks))
        return isPromise(result) ? Promise.resolve(result).then((value) => this.keep(value)) : this.keep(result)
      },
      ready() {},
      leave: (finished) => finished(),
      terminate: (reason) => this.running?.stop(reason),
      fence() {},
    })
  }

  get leaving(): ExitReason | undefined {
    return this.life.leaving
  }

  start(): void {
    this.life.start()
  }

  stop(reason: ExitReason): void {
    this.life.stop(reason)
  }

  kill(): void {
    this.life.kill()
  }

  linkedEnd({ reason }: Down): void {
    queueMicrotask(() => this.life.linkedEnd(reason))
  }

  info(): ProcessInfo {
    return {}
  }

  private keep(value: RunningService | "ignore"): undefined | "ignore" {
    if (value === "ignore") return value
    this.running = value
    return undefined
  }

  private context(id: string, env: TreeEnv, hooks: ProcessHooks): ServiceContext {
    const { life } = this
    const alive = (): boolean => life.phase !== "dead"
    return {
      id,
      get signal() {
        return life.signal
      },
      incarnation: hooks.incarnation,
      clock: env.clock,
      fail: (error) => life.crash(error),
      ref: (name) => env.registry.ref(name, alive),
      pool: (name) => env.registry.pool(name, alive),
      supervisor: (name) => env.registry.supervisor(name, alive),
    }
  }
}
