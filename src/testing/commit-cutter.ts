/**
 * Cuts a PostgreSQL connection exactly around a commit: in place of it, or when it is done and its answer is on the way.
 * It reads the client's messages as the server does, so neither pipelining nor prepared statements hide one.
 */
import type { Gate } from "./fault-proxy.ts"

/** `before`: the commit never arrives. `after`: it is done, and its answer never arrives. The client sees the same. */
export type CutWhen = "before" | "after"

export interface CommitCutter {
  /** For each connection one. */
  gate(): Gate
  /** The next commit of what is looked for is cut; resolves once it was. */
  cutNext(when: CutWhen): Promise<void>
}

/** Looks for commits of transactions in which a statement ran that `wanted` matches; a lone statement is one too. */
export function commitCutter(wanted: RegExp): CommitCutter {
  let armed: { readonly when: CutWhen; readonly done: () => void } | null = null
  return {
    gate() {
      const client = commitReader(wanted)
      const answers = frameSplitter("typed")
      let unanswered = 0
      let done: (() => void) | null = null
      return {
        toServer(chunk) {
          const forward: Buffer[] = []
          for (const { bytes, commits, wantsReady } of client(chunk)) {
            const cutting = commits ? armed : null
            if (cutting?.when === "before") {
              armed = null
              cutting.done()
              return { forward: Buffer.concat(forward), next: "cut" }
            }
            forward.push(bytes)
            if (wantsReady) unanswered += 1
            if (cutting === null) continue
            armed = null
            done = cutting.done
            // The server commits an `Execute` of "commit" at once, but says so only when asked.
            if (!wantsReady) {
              unanswered += 1
              forward.push(SYNC)
            }
            return { forward: Buffer.concat(forward), next: "withhold" }
          }
          return { forward: Buffer.concat(forward), next: "go_on" }
        },
        toClient(chunk) {
          for (const frame of answers(chunk)) if (frame[0] === READY) unanswered -= 1
          if (done === null || unanswered > 0) return false
          done()
          return true
        },
      }
    },
    cutNext(when) {
      const { promise, resolve } = Promise.withResolvers<void>()
      armed = { when, done: resolve }
      return promise
    },
  }
}

const READY = "Z".charCodeAt(0)
const SYNC = Buffer.from([0x53, 0, 0, 0, 4])
const SSL_REQUEST = 80_877_103

interface ClientMessage {
  readonly bytes: Buffer
  /** With this message the server commits something that was looked for. */
  readonly commits: boolean
  /** The server answers it with ReadyForQuery. */
  readonly wantsReady: boolean
  /** The text that is sent with it to be run or prepared. */
  readonly statement: string | null
}

/** Reads one connection's messages to the server, chunk by chunk. */
export function commitReader(wanted: RegExp): (chunk: Buffer) => readonly ClientMessage[] {
  const split = frameSplitter("untyped_first")
  const statements = new Map<string, string>()
  const portals = new Map<string, string>()
  let inTransaction = false
  let wrote = false
  let first = true

  /** Runs a statement, and says whether it is the end of a transaction that wrote. */
  const run = (text: string): boolean => {
    if (/^\s*begin\b/i.test(text)) inTransaction = true
    else if (/^\s*(commit|rollback)\b/i.test(text)) {
      const commits = wrote && /^\s*commit/i.test(text)
      inTransaction = false
      wrote = false
      return commits
    } else if (wanted.test(text)) wrote = true
    return false
  }
  /** Outside a transaction a statement commits with the message that ends it. */
  const alone = (): boolean => {
    const commits = wrote && !inTransaction
    if (commits) wrote = false
    return commits
  }

  return (chunk) =>
    split(chunk).map((bytes): ClientMessage => {
      if (first) {
        first = bytes.length === 8 && bytes.readUInt32BE(4) === SSL_REQUEST
        return { bytes, commits: false, wantsReady: !first, statement: null }
      }
      const words = bytes.subarray(5)
      switch (String.fromCharCode(bytes[0] ?? 0)) {
        case "P":
          statements.set(word(words, 0), word(words, 1))
          return { bytes, commits: false, wantsReady: false, statement: word(words, 1) }
        case "B":
          portals.set(word(words, 0), statements.get(word(words, 1)) ?? "")
          break
        case "E":
          return { bytes, commits: run(portals.get(word(words, 0)) ?? ""), wantsReady: false, statement: null }
        case "S":
          return { bytes, commits: alone(), wantsReady: true, statement: null }
        case "Q": {
          const statement = word(words, 0)
          const ended = run(statement)
          return { bytes, commits: ended || alone(), wantsReady: true, statement }
        }
      }
      return { bytes, commits: false, wantsReady: false, statement: null }
    })
}

/** The n-th string of a message, each of which ends with a zero. */
function word(bytes: Buffer, n: number): string {
  let from = 0
  for (let i = 0; i < n; i += 1) from = bytes.indexOf(0, from) + 1
  return bytes.toString("utf8", from, bytes.indexOf(0, from))
}

/** Whole messages out of chunks; a client's first one has no type before its length. */
function frameSplitter(kind: "typed" | "untyped_first"): (chunk: Buffer) => readonly Buffer[] {
  let rest: Buffer = Buffer.alloc(0)
  let started = kind === "typed"
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const frames: Buffer[] = []
    for (;;) {
      const at = started ? 1 : 0
      if (rest.length < at + 4) return frames
      const length = at + rest.readUInt32BE(at)
      if (rest.length < length) return frames
      const frame = rest.subarray(0, length)
      if (!started) started = !(length === 8 && frame.readUInt32BE(4) === SSL_REQUEST)
      frames.push(frame)
      rest = rest.subarray(length)
    }
  }
}
