// What arrives at one incarnation of an actor and what becomes of it if nobody will handle it: calls are told, the rest are
// dead letters.

import type { Overflow } from "./actor.ts"
import type { Inbox, PendingCall } from "./child-spec.ts"
import type { Addressee, DeadLetters } from "./dead-letters.ts"
import { Called, Envelope, Notice } from "./envelope.ts"
import type { Lifecycle } from "./lifecycle.ts"
import { Mailbox } from "./mailbox.ts"

const isNotice = (item: unknown): boolean => item instanceof Notice

export class Mail<M> implements Inbox {
  readonly calls = new Set<PendingCall>()
  readonly box: Mailbox<M | Envelope<M>>
  private readonly life: Lifecycle
  private readonly deadLetters: DeadLetters
  private readonly to: Addressee
  private readonly owner: { wake(): void }

  /** `owner` is woken after something was put in. */
  constructor(
    bounds: { readonly bound: number; readonly overflow: Overflow },
    life: Lifecycle,
    deadLetters: DeadLetters,
    to: Addressee,
    owner: { wake(): void },
  ) {
    this.box = new Mailbox<M | Envelope<M>>(bounds, isNotice)
    this.life = life
    this.deadLetters = deadLetters
    this.to = to
    this.owner = owner
  }

  post(message: unknown, call?: PendingCall): "ok" | "dropped" | "busy" | "down" {
    if (this.isClosed) return "down"
    // A name can be looked up as any message type; that the caller chose the right one is between it and this actor.
    const typed = message as M
    const result = this.box.push(call === undefined ? typed : new Called(typed, call), this.evicted)
    if (result === "ok") this.owner.wake()
    else this.deadLetters.add(this.to, "overflow", message)
    return result
  }

  /** Behind the messages that were sent before; not while leaving, as nothing new is. */
  notify(notice: Notice<M>): void {
    if (this.isClosed) return
    this.box.pushBeyond(notice)
    this.owner.wake()
  }

  /** Nothing that waits will be handled. A call whose message was handled already may still be answered. */
  close(): void {
    const { box } = this
    if (box.size === 0) return
    const lost: M[] = []
    while (box.size > 0) {
      const item = box.take()
      if (item instanceof Called) item.call.fail("down")
      if (!(item instanceof Notice)) lost.push(item instanceof Envelope ? item.open() : item)
    }
    box.beyond = 0
    this.deadLetters.addAll(this.to, "exit", lost)
  }

  /** Nobody will answer any more. */
  failCalls(): void {
    for (const call of [...this.calls]) call.fail("down")
  }

  private get isClosed(): boolean {
    const { phase } = this.life
    return phase === "leaving" || phase === "dead"
  }

  private readonly evicted = (item: M | Envelope<M>): void => {
    if (item instanceof Called) item.call.fail("busy")
    this.deadLetters.add(this.to, "overflow", item instanceof Envelope ? item.open() : item)
  }
}
