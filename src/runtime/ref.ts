// Talking to an actor: what a sender holds, and the three ways a call can fail. A ref by name survives restarts, because
// the name is looked up at each send; `ctx.self` is the one incarnation, as a pid is.

/**
 * What became of a message at send time. Only `ok` means it is in the mailbox.
 * `busy`: the mailbox is full and rejects. `dropped`: it is full and this message was thrown away, or the sender's own
 * incarnation is over. `down`: nobody by this name is running.
 */
export type SendResult = "ok" | "dropped" | "busy" | "down"

export interface ActorRef<M> {
  readonly id: string
  /** Puts a message into the mailbox; never throws, never waits. */
  send(message: M): SendResult
  /**
   * Sends a message that carries a reply function and waits for its first use.
   * Rejects with ActorDown (not running, or ended before it replied), Busy (mailbox full) or CallTimeout; a later reply
   * is dropped. An actor that awaits a call to itself waits for the timeout: the message is behind the one it is handling.
   */
  call<R>(make: (reply: (value: R) => void) => M, timeoutMs: number): Promise<R>
}

export class ActorDown extends Error {
  override readonly name = "ActorDown"
  readonly id: string
  constructor(id: string) {
    super(`actor "${id}" is not running or ended before it replied`)
    this.id = id
  }
}

export class CallTimeout extends Error {
  override readonly name = "CallTimeout"
  readonly id: string
  readonly timeoutMs: number
  constructor(id: string, timeoutMs: number) {
    super(`actor "${id}" did not reply within ${timeoutMs} ms`)
    this.id = id
    this.timeoutMs = timeoutMs
  }
}

export class Busy extends Error {
  override readonly name = "Busy"
  readonly id: string
  constructor(id: string) {
    super(`the mailbox of actor "${id}" is full`)
    this.id = id
  }
}
