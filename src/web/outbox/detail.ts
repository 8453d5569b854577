/** One captured message on the stage: how it stands, why it was sent, and how its reader would see it. */
import type { Api } from "../shared/api.ts"
import { button, el, words } from "../shared/dom.ts"
import { fields } from "../shared/fields.ts"
import { moment } from "../shared/moment.ts"
import { reasonSaid } from "../shared/reasons.ts"
import type { Captured } from "./captured.ts"
import { frameOf } from "./frames.ts"
import type { Hands } from "./hands.ts"
import { traceOf } from "./why.ts"

export interface Detail {
  readonly node: HTMLElement
  /**
   * Draws how it stands anew, and leaves alone what somebody reads or writes below. False: its reader has it now, or has it
   * not any more, so all of it is to be drawn.
   */
  stands(captured: Captured): boolean
}

/** `hands`: null where nobody may answer. */
export function detailOf(captured: Captured, api: Api, hands: Hands | null): Detail {
  const { eventId, rule } = captured
  const standing = el("div", { class: "standing" })
  const stands = (now: Captured): void => standing.replaceChildren(...standingOf(now))
  stands(captured)
  const told = el("p", { class: "told", role: "status" })
  const again = button({ class: "button" }, "Send its event again", async () => {
    told.textContent = await sendAgain(eventId, api)
  })
  const node = el(
    "article",
    { "aria-labelledby": "detail-title" },
    el(
      "header",
      { class: "detail-top" },
      el(
        "div",
        { class: "detail-line" },
        el("h2", { id: "detail-title", tabindex: "-1" }, words(rule)),
        hands === null ? null : again,
      ),
      standing,
      told,
      traceOf(eventId, api),
    ),
    el(
      "div",
      { class: "stage", "data-had": had(captured) ? null : "no" },
      had(captured) ? null : el("p", { class: "not-had" }, "Its reader has not had this message: so it would be seen."),
      frameOf(captured, had(captured) ? hands : null),
    ),
  )
  return {
    node,
    stands(now) {
      if (had(now) !== had(captured)) return false
      stands(now)
      return true
    },
  }
}

/** Its reader has it, or may have it, and so may answer. */
const had = ({ status, maybeDuplicate }: Captured): boolean =>
  status === "captured" || status === "delivered" || status === "unknown" || maybeDuplicate

const BAD: ReadonlySet<string> = new Set(["dead", "bounced", "complained", "undelivered"])
const UNSURE: ReadonlySet<string> = new Set(["retrying", "unknown", "queued", "sending"])
/** How a word of the hub looks. */
export const moodOf = (word: string): "bad" | "wait" | "well" =>
  BAD.has(word) ? "bad" : UNSURE.has(word) ? "wait" : "well"

function standingOf({ id, status, reason, createdAt, maybeDuplicate, receipt, tries, next }: Captured): HTMLElement[] {
  const state = reason === null || reason === "captured" ? status : `${status}: ${reasonSaid(reason)}`
  const timeline = el(
    "a",
    { class: "timeline", href: `./deliveries?id=${encodeURIComponent(id)}` },
    tries > 1 ? `Timeline, ${tries} tries` : "Timeline",
  )
  const facts = el(
    "p",
    { class: "facts" },
    el("span", { class: "pill", "data-mood": moodOf(status) }, state),
    receipt === null ? null : el("span", { class: "pill", "data-mood": moodOf(receipt) }, receipt),
    maybeDuplicate ? el("span", { class: "pill" }, "maybe a duplicate") : null,
    moment(createdAt),
    timeline,
    el("code", { title: "The delivery" }, id),
  )
  if (status === "captured" || next.sentence === "") return [facts]
  return [facts, el("p", { class: "next", "data-mood": moodOf(status) }, next.sentence)]
}

/** The same event once more, under a key of its own; answers what became of it. */
async function sendAgain(eventId: string, api: Api): Promise<string> {
  const found = await api.call("GET", `v1/events/${encodeURIComponent(eventId)}`)
  const event = found.kind === "ok" ? fields(found.body) : null
  if (event === null) return `The event is not there any more${found.kind === "ok" ? "" : `: ${found.detail}`}.`
  const names = ["type", "source", "severity", "business_id", "location_id", "correlation_id", "payload"]
  const same = Object.fromEntries(names.flatMap((name) => (event[name] == null ? [] : [[name, event[name]]])))
  const sent = await api.call("POST", "v1/events", same)
  return sent.kind === "ok" ? "Sent again: what follows comes on top of the list." : `Not sent again: ${sent.detail}.`
}
