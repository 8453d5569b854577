// The monitors and links of one incarnation of an actor: it hears of others' ends as messages, or shares them.

import type { TreeEnv } from "./child-spec.ts"
import { Notice } from "./envelope.ts"
import type { Lifecycle } from "./lifecycle.ts"
import type { Down, Monitor } from "./links.ts"

export class Watching<M> {
  private readonly id: string
  private readonly env: TreeEnv
  private readonly life: Lifecycle
  /** Puts a notice behind the messages that are in the mailbox already. */
  private readonly deliver: (notice: Notice<M>) => void
  private trap: ((exit: Down) => M) | undefined
  /** Each takes one monitor back. */
  private readonly monitors = new Set<() => void>()
  /** Ends of linked ones that are about to end this one. */
  private readonly signals = new Set<string>()

  constructor(id: string, env: TreeEnv, life: Lifecycle, deliver: (notice: Notice<M>) => void) {
    this.id = id
    this.env = env
    this.life = life
    this.deliver = deliver
  }

  monitor(id: string, make: (down: Down) => M): Monitor {
    if (this.life.phase === "dead") return { cancel() {} }
    let notice: Notice<M> | undefined
    let cancelled = false
    const tell = (down: Down): void => {
      this.monitors.delete(undo)
      if (cancelled) return
      notice = new Notice(down, make)
      this.deliver(notice)
    }
    const undo = (): void => this.env.links.demonitor(id, tell)
    this.monitors.add(undo)
    if (!this.env.links.monitor(id, tell)) tell(nobody(id))
    return {
      cancel: () => {
        cancelled = true
        this.monitors.delete(undo)
        undo()
        if (notice !== undefined) notice.cancelled = true
      },
    }
  }

  link(id: string): void {
    if (this.life.phase === "dead" || id === this.id) return
    if (!this.env.links.link(this.id, id)) this.linkedEnd(nobody(id))
  }

  unlink(id: string): void {
    if (this.life.phase === "dead") return
    this.env.links.unlink(this.id, id)
    this.signals.delete(id)
  }

  trapExits(make: (exit: Down) => M): void {
    this.trap = make
  }

  linkedEnd(down: Down): void {
    if (this.trap !== undefined) {
      this.deliver(new Notice(down, this.trap))
      return
    }
    // Not on the stack of the one that has ended, nor of an own handler that just linked itself to nobody.
    this.signals.add(down.id)
    queueMicrotask(() => {
      if (this.signals.delete(down.id)) this.life.linkedEnd(down.reason)
    })
  }

  end(): void {
    for (const undo of this.monitors) undo()
    this.monitors.clear()
    this.signals.clear()
  }
}

function nobody(id: string): Down {
  return { id, incarnation: 0, reason: { kind: "noproc", id } }
}
