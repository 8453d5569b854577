/** What the hub answers in codes, in words for the person who is trying it out. */
import { fields, text, textOrNull } from "../shared/fields.ts"

const joinRefusals: Readonly<Record<string, string>> = {
  unauthorized:
    "Not allowed here (unauthorized). The token does not name this person or business, or not this location. The stream of a whole business needs a tenancy with all its locations.",
  ambiguous_topic:
    "This name has two meanings (ambiguous_topic): because ids may hold hyphens, two places of yours are spelled like this. Watch it in the colon form.",
  unavailable: "The hub cannot look this topic up right now (unavailable). It is tried again by itself.",
  invalid_recover: "The hub did not understand from where to recover (invalid_recover).",
  invalid_presence: "The hub does not take this name for presence (invalid_presence).",
  presence_full: "As many people are listed on this topic as may be (presence_full). It is tried again by itself.",
  "unmatched topic": "There is no such topic (unmatched topic).",
  "too many channels joined": "This connection has joined as many topics as it may.",
  "too many joins": "Too many joins in a short time. It is tried again by itself.",
}

/** A join that is refused for these reasons will be refused again: it is not retried. */
export const isFinal = (reason: string): boolean =>
  ["unauthorized", "ambiguous_topic", "unmatched topic", "invalid_recover", "invalid_presence"].includes(reason)

export const refusedJoin = (reason: string): string => joinRefusals[reason] ?? `The hub refused: ${reason}.`

export const refusedSocket = (withToken: boolean): string =>
  withToken
    ? "The hub does not let this connection in. The token may be wrong or expired, or pages from this address may not connect. It is tried again by itself."
    : "The hub does not let this connection in. It may want a token, or be away. It is tried again by itself."

/** Of the topic: `phx_error` and what else ends it. */
export function endedBy(reason: string): string {
  if (reason === "token_expired") return "The token has run out."
  if (reason === "connection_closed" || reason === "connection_error") return "The line is lost."
  return `The hub ended this topic (${reason || "no reason"}); it is joined again by itself.`
}

const CLOSES: Readonly<Record<number, string>> = {
  1000: "closed",
  1001: "the hub asked this client to leave",
  1002: "nothing was heard from this client for too long",
  1005: "closed without a code",
  1006: "cut without a word",
  1008: "not allowed any longer",
  1009: "a frame was too large",
  1011: "the hub found a mistake in what was sent, or in itself",
  1012: "the hub is restarting",
  1013: "this client did not read fast enough",
  3410: "the hub no longer knows this polling session",
  4000: "broken by this page",
}

/** `1013, slow reader: this client did not read fast enough` */
export function closed(code: number, reason: string): string {
  const meaning = CLOSES[code]
  const told = reason === "" || reason === meaning ? "" : `, ${reason}`
  return meaning === undefined ? `${code}${told}` : `${code}${told}: ${meaning}`
}

/** How a topic came back. `awayMs` null: it is not known when it went. */
export interface Comeback {
  readonly awayMs: number | null
  /** `no_positions`: a topic of live pictures, of which nothing is kept. */
  readonly kind: "recovered" | "pruned" | "other_epoch" | "no_positions"
  readonly count: number
  /** Of the first and last message that was brought back. */
  readonly offsets: readonly [number, number] | null
}

export function cameBack({ awayMs, kind, count, offsets }: Comeback): string {
  const back = awayMs === null ? "Back" : `Back after ${seconds(awayMs)}`
  switch (kind) {
    case "recovered": {
      if (count === 0) return `${back}: nothing was missed.`
      const messages = count === 1 ? "1 message" : `${count} messages`
      if (offsets === null) return `${back}: ${messages} recovered.`
      const [first, last] = offsets
      return `${back}: ${messages} recovered, ${first === last ? `offset ${first}` : `offsets ${first}–${last}`}.`
    }
    case "pruned":
      return `${back}, not recovered: what was missed is older than the history that is kept, or more than one join brings back. Load what you show anew.`
    case "other_epoch":
      return `${back}, not recovered: the epoch is another, so positions began anew. Load what you show anew.`
    case "no_positions":
      return `${back}. This topic has no positions: what passed meanwhile is not kept.`
  }
}

/** `80 ms`, `1.2 s`, `4 min 5 s` */
export function seconds(ms: number): string {
  if (ms < 100) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`
}

/** What a message is about, in a line; null where that is not known. */
export function gist(event: string, payload: unknown): string | null {
  const of = fields(payload)
  if (of === null) return null
  if (event === "resource_update") {
    const what = [text(of["resourceType"]) || "resource", text(of["resourceId"])]
      .filter((part) => part !== "")
      .join(" ")
    return `${text(of["type"]).replace("resource_", "")} ${what}`
  }
  if (event === "counts") return `${String(of["unread_count"])} unread, ${String(of["unseen_count"])} unseen`
  return textOrNull(of["title"])
}

/** Why the hub did not take a sample or a kick. */
export function refusedCall(status: number, detail: string): string {
  if (status === 0) return "The hub did not answer. Is it running?"
  if (status === 401) return "Refused (401): this is no key or token that the hub knows."
  if (status === 403) return "Refused (403): this key or token may not do that."
  if (status === 404) return "Refused (404): this key or token does not reach that."
  return `Refused (${status}): ${detail}`
}
