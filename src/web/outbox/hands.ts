/**
 * What a developer does with a captured message in its reader's place, and what came of it. The hub takes it the way of a
 * real answer; what was said is remembered while the tab is open.
 */
import type { Api } from "../shared/api.ts"
import { fields, text, textOrNull } from "../shared/fields.ts"

/** `reader`: their words; `hub`: what it says in return; `note`: what it did; `trouble`: what it did not. */
export interface Said {
  readonly from: "reader" | "hub" | "note" | "trouble"
  readonly text: string
}

export interface Hands {
  readonly said: readonly Said[]
  reply(words: string): Promise<void>
  /** Presses the button, or the key. `shown`: what was pressed. */
  acknowledge(shown: string): Promise<void>
  report(receipt: string): Promise<void>
  /** A mail program's one click. */
  unsubscribe(url: string): Promise<void>
  /** Calls now and after each change; whoever draws last is the one who is called. */
  watch(draw: () => void): void
}

const MOST_SAID = 50

export function createHands(api: Api, id: string): Hands {
  const said: Said[] = []
  let redraw = (): void => {}
  const add = (...more: readonly Said[]): void => {
    said.push(...more)
    said.splice(0, said.length - MOST_SAID)
    redraw()
  }
  const answer = async (body: Readonly<Record<string, string>>): Promise<void> => {
    const found = await api.call("POST", "admin/outbox/answers", { delivery_id: id, ...body })
    if (found.kind !== "ok") return add({ from: "trouble", text: `Not taken: ${found.detail}.` })
    const of = fields(found.body)
    const spoken = textOrNull(of?.["said"])
    if (spoken !== null) add({ from: "hub", text: spoken })
    add({ from: "note", text: effectSaid(text(of?.["what"]), text(of?.["effect"])) })
  }
  return {
    said,
    reply(words) {
      add({ from: "reader", text: words })
      return answer({ answer: "reply", text: words })
    },
    acknowledge(shown) {
      add({ from: "reader", text: shown })
      return answer({ answer: "acknowledge" })
    },
    report: (receipt) => answer({ answer: "receipt", receipt }),
    async unsubscribe(url) {
      const token = /\/v1\/unsubscribe\/([^/?#]+)/.exec(url)?.[1]
      if (token === undefined) return add({ from: "trouble", text: "The address is none of this hub's." })
      const found = await api.call("POST", `v1/unsubscribe/${token}`)
      add(
        found.kind === "ok"
          ? { from: "note", text: "Unsubscribed: it stands in their preferences, and mails of this kind stop." }
          : { from: "trouble", text: `Not unsubscribed: ${found.detail}.` },
      )
    },
    watch(draw) {
      redraw = draw
      draw()
    },
  }
}

const MOST_HANDS = 200

/** The same hands for a message while the tab is open, so that what was said to it stays. */
export function rememberedHands(): (api: Api, id: string) => Hands {
  const kept = new Map<string, Hands>()
  return (api, id) => {
    const known = kept.get(id) ?? createHands(api, id)
    kept.delete(id)
    kept.set(id, known)
    const oldest = kept.size > MOST_HANDS ? kept.keys().next().value : undefined
    if (oldest !== undefined) kept.delete(oldest)
    return known
  }
}

/** What an answer was taken for and did, as a sentence. */
export function effectSaid(what: string, effect: string): string {
  if (effect === "not_theirs") return "Refused: this message was not sent to them."
  if (effect === "unknown") return "It is about nothing that is kept here, so nothing happened."
  if (effect === "late") return "Not stored in time: a provider would send it again."
  const known = effect === "known"
  switch (what) {
    case "stop":
      return known ? "It was stopped already." : "Stopped: nothing more goes to this address on this channel."
    case "start":
      return known ? "Nothing was stopped." : "Resumed: messages go to this address again."
    case "acknowledge":
      return known ? "It was acknowledged already." : "Acknowledged, on every screen and channel of whoever was told."
    case "reply":
      return known ? "It is an event already." : "Became the event reply.received, which rules can match."
    case "receipt":
      return known ? "A report that says as much was there already." : "The report stands at the delivery."
    case "help":
      return "Answered with how to stop and start."
    default:
      return "It asks for nothing, so nothing happened."
  }
}
