/** Everyone who comes back to a topic of this node in the same turn of the event loop shares one statement. */
import type { StreamKey } from "../domain/stream.ts"
import type { Tail } from "./returning.ts"
import type { ReadTails } from "./topic-message.ts"

/** Most streams in one query: each may bring as much as a client is given. */
const MOST_STREAMS = 10

interface Round {
  readonly asks: Map<StreamKey, number>
  readonly answer: PromiseWithResolvers<ReadonlyMap<StreamKey, Tail>>
}

/** Of a stream that several ask for it is read from the furthest back of them. All of them have the same bounds. */
export function sharedTails(read: ReadTails): ReadTails {
  let round: Round | null = null
  const start = (most: Parameters<ReadTails>[1]): Round => {
    const fresh: Round = { asks: new Map(), answer: Promise.withResolvers() }
    setImmediate(() => {
      if (round === fresh) round = null
      const asks = [...fresh.asks].map(([stream, after]) => ({ stream, after }))
      read(asks, most).then(fresh.answer.resolve, fresh.answer.reject)
    })
    return fresh
  }
  return (asks, most) => {
    if (round === null || round.asks.size + asks.length > MOST_STREAMS) round = start(most)
    for (const { stream, after } of asks) {
      round.asks.set(stream, Math.min(after, round.asks.get(stream) ?? Number.POSITIVE_INFINITY))
    }
    return round.answer.promise
  }
}
