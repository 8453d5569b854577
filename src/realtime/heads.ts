/**
 * Reads where streams stand, many askers in one query: when a node dies, thousands of topics start on another one
 * within a second.
 */
import type { StreamKey } from "../domain/stream.ts"

export interface Heads {
  readonly epoch: string
  /** A stream that is absent stands at 0: nothing was ever pushed. */
  readonly positions: ReadonlyMap<StreamKey, number>
}

export type ReadHeads = (streams: readonly StreamKey[]) => Promise<Heads>

/** Most streams in one query. */
const MOST_STREAMS = 1_000

interface Round {
  readonly streams: Set<StreamKey>
  readonly answer: PromiseWithResolvers<Heads>
}

/** Everyone who asks in one turn of the event loop shares a query, and is answered with more than it asked for. */
export function sharedHeads(read: ReadHeads): ReadHeads {
  let round: Round | null = null
  const start = (): Round => {
    const fresh: Round = { streams: new Set(), answer: Promise.withResolvers() }
    setImmediate(() => {
      if (round === fresh) round = null
      read([...fresh.streams]).then(fresh.answer.resolve, fresh.answer.reject)
    })
    return fresh
  }
  return (streams) => {
    if (round === null || round.streams.size + streams.length > MOST_STREAMS) round = start()
    for (const stream of streams) round.streams.add(stream)
    return round.answer.promise
  }
}
