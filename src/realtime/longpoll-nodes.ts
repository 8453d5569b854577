/**
 * Polls and posts that reach a node where their session is not: it asks the one that has it, and is answered as the
 * client would be. An answer that is lost ends nothing by itself: who asked has no answer for its client, which begins
 * a new session and recovers; the old one ends for want of polls.
 */
import { isJsonObject, type Json } from "../domain/json.ts"
import type { Neighbours } from "../pubsub/pubsub.ts"
import type { Polled } from "./longpoll-session.ts"
import type { PollSessions, PostStatus, Sessions } from "./longpoll-sessions.ts"

/** Beyond the window that the other node holds the question for. */
const GRACE_MS = 2_000

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const never = new AbortController().signal
const GZIP = 0x1f

/** A line of JSON, and the bytes that it is about. */
function pack(head: Json, bytes: Uint8Array = new Uint8Array()): Uint8Array {
  return Buffer.concat([encoder.encode(`${JSON.stringify(head)}\n`), bytes])
}

function unpack(packed: Uint8Array): { readonly head: Json; readonly bytes: Uint8Array } {
  const end = packed.indexOf(0x0a)
  // Another node of this hub wrote it.
  return { head: JSON.parse(decoder.decode(packed.subarray(0, end))) as Json, bytes: packed.subarray(end + 1) }
}

/** The sessions of another node. */
export function sessionsOf(node: string, neighbours: Neighbours, windowMs: number): Sessions {
  const ask = async (question: Uint8Array): Promise<Json> => {
    const answer = await neighbours.ask(node, question, windowMs + GRACE_MS)
    if (answer === null) return null
    const plain = answer[0] === GZIP ? Bun.gunzipSync(new Uint8Array(answer)) : answer
    return JSON.parse(decoder.decode(plain)) as Json // another node of this hub wrote it
  }
  return {
    async poll(id, signal) {
      const hungUp = (): void => void ask(pack({ ask: "hang_up", id })).catch(() => undefined) // as good as never said
      signal.addEventListener("abort", hungUp)
      const polled = await ask(pack({ ask: "poll", id }))
      signal.removeEventListener("abort", hungUp)
      return polled as Polled | null // as `answering` gives it
    },
    post: async (id, { contentType, bytes }) =>
      (await ask(pack({ ask: "post", id, contentType }, bytes))) as PostStatus | null,
  }
}

/** How a node answers for its own sessions: with what `sessionsOf` gives, in at most `most` bytes. */
export function answering(own: PollSessions): (question: Uint8Array, most: number) => Promise<Uint8Array> {
  return async (question, most) => {
    const { head, bytes } = unpack(question)
    if (!isJsonObject(head) || typeof head["id"] !== "string") throw new Error("no question of this hub's")
    const { ask, id, contentType } = head
    let said: Polled | PostStatus | null = null
    if (ask === "poll") said = await own.poll(id, never)
    else if (ask === "hang_up") own.hangUp(id)
    else said = await own.post(id, { contentType: typeof contentType === "string" ? contentType : null, bytes })
    const plain = encoder.encode(JSON.stringify(said))
    if (plain.length <= most) return plain
    const packed = Bun.gzipSync(plain)
    if (packed.length <= most) return packed
    // It was taken from the session and fits nowhere: the client is to know that something is missing.
    own.cut(id)
    return encoder.encode(JSON.stringify({ kind: "gone" } satisfies Polled))
  }
}
