/**
 * What whoever pressed a button in Slack sees of it. Slack shows nothing of the answer to the press itself: it gives an address
 * with each press, by which its message is changed, or something is said to that person alone.
 */
import { ACKNOWLEDGE_ACTION } from "../domain/answer-button.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import { asObject, asText } from "./door.ts"

/** Who pressed, as Slack names them, and the message as it stands. */
export interface Pressed {
  readonly responseUrl: string
  readonly user: string | null
  readonly message: JsonObject | null
}

/** `acknowledged`: for all who read the message, and the button goes; the others: to who pressed. */
export type Shown = "acknowledged" | "not_theirs" | "unknown"

/** Says it, and resolves when Slack has it or cannot be reached in time: the effect stands without. False: it was not said. */
export type ShowSlack = (pressed: Pressed, shown: Shown) => Promise<boolean>

/** Slack waits three seconds for the answer to a press, which comes after this one. */
const DEADLINE_MS = 2_000
const HOSTS: ReadonlySet<string> = new Set(["hooks.slack.com", "hooks.slack-gov.com"])
const MAX_URL = 2_000

/** Slack's own addresses and no others, though the press was signed; with `loopback` this machine too, for development. */
export function isSlacks(text: string, loopback: boolean): boolean {
  if (text.length > MAX_URL || !URL.canParse(text)) return false
  const { protocol, hostname, port, username, password } = new URL(text)
  if (username !== "" || password !== "") return false
  if (loopback && protocol === "http:" && hostname === "127.0.0.1") return true
  return protocol === "https:" && port === "" && HOSTS.has(hostname)
}

export const slackShows =
  ({ loopback }: { readonly loopback: boolean }): ShowSlack =>
  async (pressed, shown) => {
    if (!isSlacks(pressed.responseUrl, loopback)) return false
    try {
      const answer = await fetch(pressed.responseUrl, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(words(pressed, shown)),
        redirect: "manual",
        signal: AbortSignal.timeout(DEADLINE_MS),
      })
      await answer.body?.cancel()
      return answer.ok
    } catch {
      // Slack is away, or slow: who pressed sees the button still, and pressing it again is no harm.
      return false
    }
  }

function words({ user, message }: Pressed, shown: Shown): JsonObject {
  switch (shown) {
    case "acknowledged":
      return acknowledged(user, message)
    case "not_theirs":
      return alone("This message was not sent to you, so it is not yours to acknowledge.")
    case "unknown":
      return alone("There is nothing to acknowledge here any more.")
  }
}

const alone = (text: string): JsonObject => ({ response_type: "ephemeral", replace_original: false, text })

/** The message as it stands, with who it was in the button's place. */
function acknowledged(user: string | null, message: JsonObject | null): JsonObject {
  const by = user !== null && /^[UW][A-Z0-9]{1,30}$/.test(user) ? ` by <@${user}>` : ""
  const note = `:white_check_mark: Acknowledged${by}`
  const blocks = message?.["blocks"]
  const kept = Array.isArray(blocks) ? blocks.flatMap(withoutButton) : []
  // Nothing is put in the place of words that are not known.
  if (kept.length === 0) return alone(note)
  const text = typeof message?.["text"] === "string" ? message["text"] : ""
  return {
    replace_original: true,
    text: text === "" ? note : `${text}\n${note}`,
    blocks: [...kept, { type: "context", elements: [{ type: "mrkdwn", text: note }] }],
  }
}

function withoutButton(block: Json): readonly Json[] {
  if (!isJsonObject(block) || block["type"] !== "actions") return [block]
  const elements = Array.isArray(block["elements"]) ? block["elements"] : []
  const left = elements.filter((element) => !isJsonObject(element) || element["action_id"] !== ACKNOWLEDGE_ACTION)
  return left.length === 0 ? [] : [{ ...block, elements: left }]
}

/** What a press says of itself; null where it gives no address. */
export function pressedBy(payload: Readonly<Record<string, unknown>>): Pressed | null {
  const responseUrl = asText(payload["response_url"], MAX_URL)
  if (responseUrl === null) return null
  const message = payload["message"]
  return {
    responseUrl,
    user: asText(asObject(payload["user"])?.["id"], 64),
    message: isJsonObject(message) ? message : null,
  }
}
