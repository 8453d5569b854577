/** The first rival of bench/actors.ts: what one would write without a library, where nothing may ever go wrong. */
import { type Add, type Ask, type Ball, type Contestant, returned, Tally } from "./tally.ts"

/** An array that is taken whole, and a promise to sleep on when it is empty. */
class Queue<M> {
  open = true
  private waiting: M[] = []
  private wake: (() => void) | undefined

  get empty(): boolean {
    return this.waiting.length === 0
  }

  readonly push = (message: M): void => {
    this.waiting.push(message)
    this.rouse()
  }

  take(): M[] {
    const { waiting } = this
    this.waiting = []
    return waiting
  }

  sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }

  close(): void {
    this.open = false
    this.rouse()
  }

  private rouse(): void {
    this.wake?.()
    this.wake = undefined
  }
}

interface Loop<M> {
  push(message: M): void
  stop(): Promise<void>
}

function loopOver<M>(queue: Queue<M>, ended: Promise<void>): Loop<M> {
  const stop = (): Promise<void> => {
    queue.close()
    return ended
  }
  return { push: queue.push, stop }
}

/**
 * The bare async loop: takes all that waits, handles one message after the other with one `await` each, and sleeps when
 * there is nothing. That is all: no bound, no deadline, no name, no restart, no turn for timers and sockets while there
 * are messages.
 */
function whileLoop<M>(handle: (message: M) => unknown): Loop<M> {
  const queue = new Queue<M>()
  const run = async (): Promise<void> => {
    while (queue.open) {
      if (queue.empty) await queue.sleep()
      else for (const message of queue.take()) await handle(message)
    }
  }
  return loopOver(queue, run())
}

/** The same queue behind an async generator, read by `for await`; what reads best, and costs more. */
function forAwaitLoop<M>(handle: (message: M) => unknown): Loop<M> {
  const queue = new Queue<M>()
  async function* messages(): AsyncGenerator<M> {
    while (queue.open) {
      if (queue.empty) await queue.sleep()
      else for (const message of queue.take()) yield message
    }
  }
  const run = async (): Promise<void> => {
    for await (const message of messages()) handle(message)
  }
  return loopOver(queue, run())
}

type Handler = (tally: Tally) => (message: Add) => unknown

function oneWay(make: (handle: (message: Add) => unknown) => Loop<Add>, handler: Handler): Contestant["run"] {
  return async (messages) => {
    const tally = new Tally()
    const loop = make(handler(tally))
    const ms = await tally.feed(messages, loop.push)
    await loop.stop()
    return ms
  }
}

export const whileOneWay = (handler: Handler): Contestant["run"] => oneWay(whileLoop, handler)
export const forAwaitOneWay = (handler: Handler): Contestant["run"] => oneWay(forAwaitLoop, handler)

/** A promise for each question, resolved by the handler; with a deadline as a careful author would set it, or without. */
export function bareCall(deadlineMs: number | null): Contestant["run"] {
  return async (messages) => {
    const tally = new Tally()
    const loop = whileLoop<Ask>((ask) => ask.reply(tally.add(ask)))
    const ms = await tally.ask(messages, (amount) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      if (deadlineMs === null) {
        loop.push({ type: "add", amount, reply: resolve })
        return promise
      }
      const timer = setTimeout(() => reject(new Error("no answer")), deadlineMs)
      const reply = (total: number): void => {
        clearTimeout(timer)
        resolve(total)
      }
      loop.push({ type: "add", amount, reply })
      return promise
    })
    await loop.stop()
    return ms
  }
}

export const barePingPong: Contestant["run"] = async (messages) => {
  const tally = new Tally()
  const player = (peer: () => Loop<Ball>) =>
    whileLoop<Ball>((ball) => {
      tally.add(ball)
      if (ball.left > 0) peer().push(returned(ball))
    })
  const ping: Loop<Ball> = player(() => pong)
  const pong: Loop<Ball> = player(() => ping)
  const ms = await tally.play(messages, ping.push)
  await Promise.all([ping.stop(), pong.stop()])
  return ms
}
