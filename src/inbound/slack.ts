/**
 * What Slack brings: a button of ours that was pressed (`block_actions`), words in a thread under a message of ours, and the
 * question whether this address is ours. Slack waits three seconds; the work is one short transaction.
 */
import { ACKNOWLEDGE, ACKNOWLEDGE_ACTION } from "../domain/answer-button.ts"
import { asDeliveryId } from "../domain/ids.ts"
import type { Secret } from "../domain/secret.ts"
import { decode, mediaType, unsupported } from "../http/body.ts"
import { type Problem, problem } from "../http/problem.ts"
import { json, type Reply, text } from "../http/route.ts"
import { messageOf, sentAs } from "../store/inbound.ts"
import { SLACK_DOC } from "./docs.ts"
import { asObject, asText, type Door, type DoorOptions, ID_LENGTH, objectIn, type Taken } from "./door.ts"
import { pressedBy, type Shown, type ShowSlack } from "./slack-answer.ts"
import { isSlackSigned } from "./slack-signature.ts"
import { meaningOf } from "./words.ts"

const FORM = "application/x-www-form-urlencoded"
const JSON_TYPE = "application/json"
const MAX_TEXT = 40_000
type Fields = Readonly<Record<string, unknown>>

/** Slack's ids of people. */
const PERSON = /^[UW]/

/** Slack shows whatever an answer says. */
const quiet = (): Reply => text("text/plain", "")
const NOTHING: Taken = { what: "nothing", effect: "nothing", reply: quiet() }

/** `secret`: the app's signing secret. `shows`: what whoever pressed a button sees of it. */
export function slackDoor(secret: Secret | null, { db, clock, effects, links }: DoorOptions, shows: ShowSlack): Door {
  const show = async (payload: Fields, shown: Shown): Promise<void> => {
    const pressed = pressedBy(payload)
    if (pressed !== null) await shows(pressed, shown)
  }

  /** Whoever saw the button saw the message: its token is in no other place of Slack. */
  const pressed = async (payload: Fields): Promise<Taken | Problem> => {
    const actions = Array.isArray(payload["actions"]) ? payload["actions"].map(asObject) : []
    const own = actions.find((action) => action?.["action_id"] === ACKNOWLEDGE_ACTION)
    if (own === undefined || own === null) return NOTHING
    const id = asText(payload["trigger_id"], ID_LENGTH)
    if (id === null) return problem("invalid", "/trigger_id: expected the interaction's id")
    const value = asText(own["value"], ID_LENGTH) ?? ""
    const token = value.startsWith(ACKNOWLEDGE) ? value.slice(ACKNOWLEDGE.length) : ""
    const delivery = asDeliveryId(links.readAcknowledge(token) ?? "")
    if (delivery === null) {
      await show(payload, "unknown")
      return { what: "acknowledge", effect: "unknown", reply: quiet() }
    }
    const told = await messageOf(db, delivery)
    const user = asText(asObject(payload["user"])?.["id"], ID_LENGTH)
    // A direct message is one person's; what was posted to a channel was sent to whoever reads there.
    const theirs = told?.channel === "slack" && (!PERSON.test(told.botTo ?? "") || told.botTo === user)
    if (!theirs) {
      await show(payload, "not_theirs")
      return { what: "acknowledge", effect: "not_theirs", reply: quiet() }
    }
    const effect = await effects.acknowledge({ via: "slack", id }, delivery)
    await show(payload, effect === "unknown" ? "unknown" : "acknowledged")
    return { what: "acknowledge", effect, reply: quiet() }
  }

  /** Words in a thread, of a person. */
  const said = async (id: string, event: Fields): Promise<Taken> => {
    const [thread, words] = [asText(event["thread_ts"], ID_LENGTH), asText(event["text"], MAX_TEXT)]
    const spoken = event["type"] === "message" && event["subtype"] === undefined && event["bot_id"] === undefined
    if (!spoken || thread === null || words === null || thread === event["ts"]) return NOTHING
    const channel = asText(event["channel"], ID_LENGTH) ?? ""
    const delivery =
      (await sentAs(db, "slack", `${channel}:${thread}`, null)) ?? (await sentAs(db, "slack", thread, null))
    if (delivery === null) return NOTHING
    const meaning = meaningOf(words)
    if (meaning === "acknowledge" || meaning === "yes")
      return { what: "acknowledge", effect: await effects.acknowledge({ via: "slack", id }, delivery), reply: quiet() }
    const user = asText(event["user"], ID_LENGTH)
    const more = user === null ? {} : { slack_user_id: user }
    const effect = await effects.reply({ via: "slack", id }, { delivery, channel: "slack", text: words, more })
    return { what: "reply", effect, reply: quiet() }
  }

  return {
    via: "slack",
    doc: SLACK_DOC,
    secret,
    isSigned({ request: { headers } }, body) {
      const timestamp = headers.get("x-slack-request-timestamp")
      return isSlackSigned(
        { timestamp, signature: headers.get("x-slack-signature"), body },
        secret,
        clock.wall().getTime(),
      )
    },
    async take({ request }, body) {
      const type = mediaType(request)
      if (type !== FORM && type !== JSON_TYPE) return unsupported(type, [FORM, JSON_TYPE])
      const decoded = decode(body)
      if (typeof decoded !== "string") return decoded
      const read = objectIn(type === FORM ? (new URLSearchParams(decoded).get("payload") ?? "") : decoded)
      if ("kind" in read) return read
      const { value } = read
      switch (value["type"]) {
        case "url_verification":
          return { ...NOTHING, reply: json(200, { challenge: asText(value["challenge"], 1_000) ?? "" }) }
        case "block_actions":
          return pressed(value)
        case "event_callback": {
          const [id, event] = [asText(value["event_id"], ID_LENGTH), asObject(value["event"])]
          return id === null || event === null ? problem("invalid", "expected {event_id, event}") : said(id, event)
        }
        default:
          return typeof value["type"] === "string" ? NOTHING : problem("invalid", "/type: required")
      }
    },
  }
}
