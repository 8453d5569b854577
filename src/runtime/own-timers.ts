// The messages an actor sends itself later. They end with it.

import type { Clock, Timer } from "./clock.ts"

export class OwnTimers<M> {
  private readonly clock: Clock
  private readonly deliver: (message: M) => void
  private readonly timers = new Set<Timer>()

  constructor(clock: Clock, deliver: (message: M) => void) {
    this.clock = clock
    this.deliver = deliver
  }

  after(ms: number, message: M): Timer {
    const timer = this.clock.after(ms, () => {
      this.timers.delete(handle)
      this.deliver(message)
    })
    const handle: Timer = {
      cancel: () => {
        this.timers.delete(handle)
        timer.cancel()
      },
    }
    this.timers.add(handle)
    return handle
  }

  cancelAll(): void {
    for (const timer of this.timers) timer.cancel()
    this.timers.clear()
  }
}
