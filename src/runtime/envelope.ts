// What stands in a mailbox besides bare messages: those that somebody waits for, and reports of somebody's end.

import type { PendingCall } from "./child-spec.ts"
import type { Down } from "./links.ts"

export abstract class Envelope<M> {
  /** The message in it. */
  abstract open(): M
}

/** A message that somebody waits for. */
export class Called<M> extends Envelope<M> {
  private readonly message: M
  readonly call: PendingCall
  constructor(message: M, call: PendingCall) {
    super()
    this.message = message
    this.call = call
  }

  open(): M {
    return this.message
  }
}

/** Somebody's end, which becomes a message when its turn comes. */
export class Notice<M> extends Envelope<M> {
  cancelled = false
  private readonly down: Down
  private readonly make: (down: Down) => M
  constructor(down: Down, make: (down: Down) => M) {
    super()
    this.down = down
    this.make = make
  }

  open(): M {
    return this.make(this.down)
  }
}
