/**
 * An answer of a hundred thousand rows comes as fast as it is read, and reading it all is most of a second in which nobody
 * else has a turn: after so much of it the connection rests until they had one. Not after every part, because the server
 * waits meanwhile, and where turns are long its patience with a statement would end.
 */
import type { Readable } from "node:stream"

/** Those of ordinary batches come in smaller parts. */
const LARGE_BYTES = 64 * 1024
/** Read in one turn: some 3,000 people, in 30 ms. */
const MOST_BYTES = 1024 * 1024

/** Reads so much of large answers in a turn, from now on. */
export function readInTurns(stream: Pick<Readable, "on" | "pause" | "resume">): void {
  let read = 0
  stream.on("data", ({ length }: Buffer) => {
    if (length < LARGE_BYTES) return
    if (read === 0) {
      setImmediate(() => {
        read = 0
        stream.resume()
      })
    }
    read += length
    if (read >= MOST_BYTES) stream.pause()
  })
}
