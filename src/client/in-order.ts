/**
 * Messages of one stream put in order by their positions: each once, none skipped. What came too early waits; whoever
 * owns this asks the hub again when it waits for too long.
 */

/** A place in a stream, in one life of the hub's database. */
export interface Position {
  readonly epoch: string
  readonly offset: number
}

/** More than this is not kept: it is asked for again. */
const MOST_HELD = 1_000

export class InOrder<Message> {
  readonly #held = new Map<number, Message>()
  #position: Position | null

  constructor(from: Position | null) {
    this.#position = from
  }

  /** Up to where everything was given out; null: the hub has not said yet where the stream is. */
  get position(): Position | null {
    return this.#position
  }

  /** Something came that is not next: there is a gap before it. */
  get isBehind(): boolean {
    return this.#position !== null && this.#held.size > 0
  }

  /** What can be given out now that this one is here. */
  take(offset: number, message: Message): readonly Message[] {
    const { offset: last = -1 } = this.#position ?? {}
    if (offset > last && this.#held.size < MOST_HELD) this.#held.set(offset, message)
    return this.#position === null ? [] : this.#next([])
  }

  /** The hub gave back all that was missed up to here, also where some of it is not for us. */
  caughtUp(at: Position, missed: readonly (readonly [offset: number, message: Message])[]): readonly Message[] {
    const { offset: last = -1 } = this.#position ?? {}
    for (const [offset, message] of missed) if (offset > last) this.#held.set(offset, message)
    const due = [...this.#held.keys()].filter((offset) => offset <= at.offset).sort((a, b) => a - b)
    const out: Message[] = []
    for (const offset of due) this.#move(offset, out)
    this.#position = { epoch: at.epoch, offset: Math.max(last, at.offset) }
    return this.#next(out)
  }

  /** From here on, whatever was before. */
  startAt(at: Position): readonly Message[] {
    this.#position = at
    for (const offset of this.#held.keys()) if (offset <= at.offset) this.#held.delete(offset)
    return this.#next([])
  }

  #next(out: Message[]): readonly Message[] {
    for (let at = this.#position; at !== null && this.#held.has(at.offset + 1); at = this.#position) {
      this.#position = { epoch: at.epoch, offset: at.offset + 1 }
      this.#move(at.offset + 1, out)
    }
    return out
  }

  #move(offset: number, out: Message[]): void {
    const message = this.#held.get(offset)
    this.#held.delete(offset)
    if (message !== undefined) out.push(message)
  }
}
