/**
 * The work that every contestant of bench/actors.ts does for each message: a count and a sum. Feeds them a fixed number of
 * messages, each an object of its own, and throws unless all were handled, once each.
 */
export interface Contestant {
  readonly name: string
  /** In each round; fewer for the slow ones: only rates are compared. */
  readonly messages: number
  run(messages: number): Promise<number>
}

/** The runtime's own default bound: nobody has to turn a message away, nobody sees more than this at once. */
const SLICE = 1_000
export const CALL_DEADLINE_MS = 5_000

export interface Add {
  readonly type: "add"
  readonly amount: number
}
export interface Ask extends Add {
  readonly reply: (total: number) => void
}
export interface Ball extends Add {
  readonly left: number
}

/** The work of one message, and how the feeder hears that its messages are done. */
export class Tally {
  count = 0
  private sum = 0
  private expected = 0
  private goal = 0
  private reached: () => void = () => undefined

  add(message: Add): number {
    this.sum += message.amount
    this.count++
    if (this.count === this.goal) this.reached()
    return this.sum
  }

  /** Resolves when `count` is this. */
  until(goal: number): Promise<void> {
    if (this.count === goal) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.goal = goal
    this.reached = resolve
    return promise
  }

  /** Sends in slices and waits for each; the milliseconds of all. */
  async feed(messages: number, send: (message: Add) => void): Promise<number> {
    const began = performance.now()
    for (let sent = 0; sent < messages; sent += SLICE) {
      const slice = Math.min(SLICE, messages - sent)
      const done = this.until(this.count + slice)
      for (let i = 0; i < slice; i++) send({ type: "add", amount: i & 7 })
      await done
    }
    const ms = performance.now() - began
    for (let i = 0; i < messages; i++) this.expected += (i % SLICE) & 7
    this.check(messages)
    return ms
  }

  /** Asks one at a time: the next when the answer is there. */
  async ask(messages: number, call: (amount: number) => Promise<number>): Promise<number> {
    const began = performance.now()
    for (let i = 0; i < messages; i++) {
      this.expected += i & 7
      if ((await call(i & 7)) !== this.expected) throw new Error("a call was given another call's answer")
    }
    const ms = performance.now() - began
    this.check(messages)
    return ms
  }

  /** Serves one ball that has to cross the net so many times. */
  async play(messages: number, serve: (ball: Ball) => void): Promise<number> {
    const began = performance.now()
    const done = this.until(messages)
    serve({ type: "add", amount: 1, left: messages - 1 })
    await done
    const ms = performance.now() - began
    this.expected = messages
    this.check(messages)
    return ms
  }

  private check(messages: number): void {
    if (this.count === messages && this.sum === this.expected) return
    throw new Error(`${this.count} of ${messages} messages handled, sum ${this.sum} instead of ${this.expected}`)
  }
}

export const returned = ({ amount, left }: Ball): Ball => ({ type: "add", amount, left: left - 1 })
