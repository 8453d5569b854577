/**
 * Telegram's updates: buttons and words. Telegram does not sign, it repeats a secret that it was given with the webhook's
 * address. What we have to say to whoever pressed goes back in the answer, which saves a call.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { sameSpelling } from "../domain/address.ts"
import { ACKNOWLEDGE } from "../domain/answer-button.ts"
import { asDeliveryId, type DeliveryId } from "../domain/ids.ts"
import type { Secret } from "../domain/secret.ts"
import { type Problem, problem } from "../http/problem.ts"
import { json, noContent, type Reply } from "../http/route.ts"
import { lastSentTo, messageOf, sentAs } from "../store/inbound.ts"
import { TELEGRAM_DOC } from "./docs.ts"
import { asObject, asText, type Door, type DoorOptions, ID_LENGTH, objectIn, type Taken } from "./door.ts"
import { meaningOf } from "./words.ts"

const MAX_TEXT = 10_000
const NOTHING: Taken = { what: "nothing", effect: "nothing", reply: noContent() }
type Fields = Readonly<Record<string, unknown>>

/** Nobody knows it, so nothing is the same as it. */
const NOBODYS_SECRET = crypto.randomUUID()
const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Takes one update, however it came. */
export type TakeUpdate = (body: Uint8Array) => Promise<Taken | Problem>

export function telegramUpdates({ db, effects, links }: DoorOptions): TakeUpdate {
  /** A button of one of our messages, pressed where it was sent. */
  const pressed = async (id: string, callback: Fields): Promise<Taken> => {
    const data = asText(callback["data"], ID_LENGTH) ?? ""
    const query = asText(callback["id"], ID_LENGTH)
    const answer = (words: string): Reply =>
      query === null ? noContent() : json(200, { method: "answerCallbackQuery", callback_query_id: query, text: words })
    const delivery = data.startsWith(ACKNOWLEDGE) ? deliveryIn(data.slice(ACKNOWLEDGE.length)) : null
    if (delivery === null) return { what: "acknowledge", effect: "unknown", reply: answer("This button is not known") }
    const told = await messageOf(db, delivery)
    const message = asObject(callback["message"])
    const chat = chatOf(message)
    const theirs =
      told?.channel === "telegram" &&
      chat !== null &&
      (sameSpelling("telegram", told.chatId) === chat.id || (await moved(delivery, told.chatId, chat.id, message)))
    if (!theirs) return { what: "acknowledge", effect: "not_theirs", reply: answer("This message was not sent to you") }
    const effect = await effects.acknowledge({ via: "telegram", id }, delivery)
    return {
      what: "acknowledge",
      effect,
      reply: answer(effect === "unknown" ? "This is not kept any more" : "Acknowledged"),
    }
  }

  /** A group that became a supergroup has another id than its message was for; the message has the one that we were told. */
  const moved = async (delivery: DeliveryId, from: string, to: string, message: Fields | null): Promise<boolean> => {
    const sent = asText(message?.["message_id"], ID_LENGTH)
    if (sent === null || !from.startsWith("-") || !to.startsWith("-")) return false
    return (await sentAs(db, "telegram", sent, from)) === delivery
  }

  const deliveryIn = (token: string): DeliveryId | null => asDeliveryId(links.readAcknowledge(token) ?? "")

  const said = async (id: string, message: Fields): Promise<Taken> => {
    const [chat, text] = [chatOf(message), asText(message["text"], MAX_TEXT)]
    if (chat === null) return NOTHING
    // A message of Telegram's own too, such as that the bot has come back to a group.
    await effects.heard("telegram", chat.id)
    if (text === null) return NOTHING
    const by = { via: "telegram", id } as const
    const own = { channel: "telegram", address: chat.id } as const
    const meaning = meaningOf(text)
    if (chat.personal && (meaning === "stop" || /^\/stop\b/i.test(text)))
      return { what: "stop", effect: await effects.suppress(by, own, "stop"), reply: noContent() }
    if (chat.personal && (meaning === "start" || /^\/start\b/i.test(text)))
      return { what: "start", effect: await effects.resume(by, "telegram", chat.id), reply: noContent() }
    const answered = asText(asObject(message["reply_to_message"])?.["message_id"], ID_LENGTH)
    // In a group people talk to each other: only a reply is meant for the hub.
    const delivery =
      answered !== null
        ? await sentAs(db, "telegram", answered, chat.id)
        : chat.personal
          ? await lastSentTo(db, "telegram", chat.id)
          : null
    const what = meaning === "acknowledge" || meaning === "yes" ? "acknowledge" : "reply"
    if (delivery === null)
      return answered === null && !chat.personal ? NOTHING : { what, effect: "unknown", reply: noContent() }
    const effect =
      what === "acknowledge"
        ? await effects.acknowledge(by, delivery)
        : await effects.reply(by, { delivery, channel: "telegram", text })
    return { what, effect, reply: noContent() }
  }

  return async (body) => {
    const read = objectIn(body)
    if ("kind" in read) return read
    const id = asText(read.value["update_id"], ID_LENGTH)
    if (id === null) return problem("invalid", "expected an update of Telegram, with its update_id")
    const [callback, message] = [asObject(read.value["callback_query"]), asObject(read.value["message"])]
    if (callback !== null) return pressed(id, callback)
    return message === null ? NOTHING : said(id, message)
  }
}

export function telegramDoor(secret: Secret | null, options: DoorOptions): Door {
  const take = telegramUpdates(options)
  return {
    via: "telegram",
    doc: TELEGRAM_DOC,
    secret,
    isSigned({ request }) {
      const given = request.headers.get("x-telegram-bot-api-secret-token")
      const same = timingSafeEqual(digest(secret?.reveal() ?? NOBODYS_SECRET), digest(given ?? ""))
      return same && given !== null && given !== ""
    },
    take: (_, body) => take(body),
  }
}

function chatOf(message: Fields | null): { readonly id: string; readonly personal: boolean } | null {
  const chat = asObject(message?.["chat"])
  const id = asText(chat?.["id"], ID_LENGTH)
  return id === null ? null : { id, personal: chat?.["type"] === "private" }
}
