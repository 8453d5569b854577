/**
 * Answers that a developer gives to a captured message in place of its reader (contract §2): each is written as its
 * provider would write it and taken by the same door, but for the signature that only the provider can make. Development alone.
 */
import { ACKNOWLEDGE, ACKNOWLEDGE_ACTION } from "../domain/answer-button.ts"
import type { SendingChannel } from "../domain/channel.ts"
import { asDeliveryId, type DeliveryId } from "../domain/ids.ts"
import { isJsonObject, type JsonObject } from "../domain/json.ts"
import type { LinkTokens } from "../domain/link-token.ts"
import type { Message } from "../domain/message.ts"
import { confinedTo } from "../domain/principal.ts"
import { DELIVERY_TAG, RECEIPTS, type Receipt } from "../domain/receipt.ts"
import { readJson } from "../http/body.ts"
import { noteOperation } from "../http/operations.ts"
import { invalid, notFound, type Problem, problem } from "../http/problem.ts"
import { type Answer, type Call, json, type Reply, type RouteFile } from "../http/route.ts"
import { getDelivery } from "../store/delivery-reads.ts"
import { messageOf } from "../store/inbound.ts"
import type { Door, DoorOptions, Taken } from "./door.ts"
import { createEffects, type EffectsOptions } from "./effects.ts"
import { REHEARSAL_DOC, REHEARSAL_SCHEMAS } from "./rehearsal-docs.ts"
import { resendDoor } from "./resend.ts"
import { slackDoor } from "./slack.ts"
import { telegramDoor } from "./telegram.ts"
import { twilioDoor } from "./twilio.ts"
import { meaningOf } from "./words.ts"

export interface RehearsalOptions extends Omit<DoorOptions, "effects" | "links">, EffectsOptions {
  readonly links: LinkTokens
  /** Their sends are captured: nobody else will answer. */
  readonly captured: ReadonlySet<SendingChannel>
}

/** What its reader does with a message. */
type Asked =
  | { readonly kind: "reply"; readonly text: string }
  | { readonly kind: "acknowledge" }
  | { readonly kind: "receipt"; readonly receipt: Receipt }

/** One answer under way: what it is to, and a name that no provider gives. */
interface Given {
  readonly id: DeliveryId
  readonly message: Message
  readonly asked: Asked
  readonly name: string
}

const MOST_TEXT = 2_000
const JSON_TYPE = "application/json"

export function rehearsalRoutes(options: RehearsalOptions): RouteFile {
  const { db, captured, pubsub } = options
  const answer = rehearse(options)
  return {
    schemas: REHEARSAL_SCHEMAS,
    routes: [
      {
        method: "POST",
        path: "/admin/outbox/answers",
        access: "operator",
        doc: REHEARSAL_DOC,
        async handle(call): Promise<Answer> {
          const body = await readJson(call.request)
          if ("kind" in body) return body
          const value = isJsonObject(body.value) ? body.value : {}
          const id = asDeliveryId(typeof value["delivery_id"] === "string" ? value["delivery_id"] : "")
          if (id === null) return invalid([{ pointer: "/delivery_id", detail: "expected a delivery's id" }])
          const asked = readAsked(value)
          if ("pointer" in asked) return invalid([asked])
          const found = await getDelivery(db, id, confinedTo(call.principal.tenancy))
          const message = found === null ? null : await messageOf(db, id)
          if (message === null) return notFound("delivery")
          if (!captured.has(message.channel))
            return problem("conflict", `${message.channel} is not captured: its reader answers`)
          const what = asked.kind === "receipt" ? { receipt: asked.receipt } : {}
          await noteOperation(db, call.principal, "outbox.answer", { delivery_id: id, answer: asked.kind, ...what })
          const taken = await answer({ id, message, asked, name: `rehearsal ${crypto.randomUUID()}` }, call)
          if ("kind" in taken) return taken
          pubsub.publish([{ kind: "deliveries_changed", ids: [id] }])
          return json(200, { what: taken.what, effect: taken.effect, said: saidIn(taken.reply) })
        },
      },
    ],
  }
}

function readAsked(value: JsonObject): Asked | { readonly pointer: string; readonly detail: string } {
  const { answer, text, receipt } = value
  switch (answer) {
    case "acknowledge":
      return { kind: "acknowledge" }
    case "reply":
      return typeof text === "string" && text.trim() !== "" && text.length <= MOST_TEXT
        ? { kind: "reply", text }
        : { pointer: "/text", detail: `expected 1 to ${MOST_TEXT} characters` }
    case "receipt": {
      const known = RECEIPTS.find((name) => name === receipt)
      return known === undefined
        ? { pointer: "/receipt", detail: `expected one of ${RECEIPTS.join(", ")}` }
        : { kind: "receipt", receipt: known }
    }
    default:
      return { pointer: "/answer", detail: "expected acknowledge, reply or receipt" }
  }
}

function rehearse(options: RehearsalOptions): (given: Given, call: Call) => Promise<Taken | Problem> {
  const { links } = options
  const effects = createEffects(options)
  const parts: DoorOptions = { ...options, effects }
  const doors = {
    twilio: twilioDoor({ authToken: null, publicUrl: "http://localhost", anyHost: true }, parts),
    resend: resendDoor(null, parts),
    telegram: telegramDoor(null, parts),
    slack: slackDoor(null, parts, () => Promise.resolve(false)),
  }
  const token = (id: DeliveryId): string => `${ACKNOWLEDGE}${links.acknowledge(id)}`
  const none = (what: string): Problem => problem("conflict", `${what} cannot be answered so`)

  const by = (door: Door, call: Call, body: string, type: string, query = "", headers: Record<string, string> = {}) => {
    const url = `http://localhost/v1/inbound/${door.via}${query}`
    const request = new Request(url, { method: "POST", body, headers: { "content-type": type, ...headers } })
    return door.take({ ...call, request }, new TextEncoder().encode(body))
  }
  const byForm = (door: Door, call: Call, form: Readonly<Record<string, string>>, query = "") =>
    by(door, call, String(new URLSearchParams(form)), "application/x-www-form-urlencoded", query)

  return async (given, call) => {
    const { id, message, asked, name } = given
    const query = `?delivery=${id}`
    switch (message.channel) {
      case "sms":
        if (asked.kind === "receipt") {
          const status = SMS_STATUS[asked.receipt]
          if (status === undefined) return none("an SMS")
          return byForm(doors.twilio, call, { MessageSid: name, MessageStatus: status }, query)
        }
        return byForm(doors.twilio, call, { MessageSid: name, From: message.to, Body: textOf(asked) })
      case "voice":
        if (asked.kind === "reply") return none("a call")
        if (asked.kind === "acknowledge")
          return byForm(doors.twilio, call, { CallSid: name, Digits: "1", To: message.to }, query)
        return asked.receipt === "delivered" || asked.receipt === "undelivered"
          ? byForm(doors.twilio, call, { CallSid: name, CallStatus: CALL_STATUS[asked.receipt] }, query)
          : none("a call")
      case "email": {
        const svix = { "svix-id": name }
        if (asked.kind === "acknowledge") return none("an e-mail")
        const data =
          asked.kind === "reply"
            ? { from: message.to, subject: asked.text, email_id: name }
            : { tags: { [DELIVERY_TAG]: id }, bounce: { type: "Permanent" } }
        const type = asked.kind === "reply" ? "email.received" : MAIL_EVENT[asked.receipt]
        return by(doors.resend, call, JSON.stringify({ type, data }), JSON_TYPE, "", svix)
      }
      case "telegram": {
        if (asked.kind === "receipt") return none("a Telegram message")
        const chat = { id: message.chatId, type: message.chatId.startsWith("-") ? "group" : "private" }
        const update =
          asked.kind === "acknowledge"
            ? { callback_query: { id: name, data: token(id), message: { chat } } }
            : { message: { chat, text: asked.text } }
        return by(doors.telegram, call, JSON.stringify({ update_id: name, ...update }), JSON_TYPE)
      }
      case "slack": {
        if (asked.kind === "receipt") return none("a Slack message")
        if (asked.kind === "acknowledge") {
          const actions = [{ action_id: ACKNOWLEDGE_ACTION, value: token(id) }]
          return by(doors.slack, call, JSON.stringify({ type: "block_actions", trigger_id: name, actions }), JSON_TYPE)
        }
        // A captured message has no name of Slack's, by which the door would find it.
        const meaning = meaningOf(asked.text)
        const answering = { via: "slack", id: name } as const
        return meaning === "acknowledge" || meaning === "yes"
          ? { what: "acknowledge", effect: await effects.acknowledge(answering, id), reply: QUIET }
          : {
              what: "reply",
              effect: await effects.reply(answering, { delivery: id, channel: "slack", text: asked.text }),
              reply: QUIET,
            }
      }
      case "push":
        return none("a push")
      case "webhook":
        return none("a webhook")
    }
  }
}

const QUIET: Reply = json(200, {})

const textOf = (asked: Extract<Asked, { kind: "reply" | "acknowledge" }>): string =>
  asked.kind === "reply" ? asked.text : "OK"

const SMS_STATUS: Readonly<Partial<Record<Receipt, string>>> = {
  delivered: "delivered",
  undelivered: "undelivered",
  opened: "read",
}
const CALL_STATUS = { delivered: "completed", undelivered: "no-answer" } as const
const MAIL_EVENT: Readonly<Record<Receipt, string>> = {
  delivered: "email.delivered",
  undelivered: "email.failed",
  bounced: "email.bounced",
  complained: "email.complained",
  opened: "email.opened",
  clicked: "email.clicked",
}

/** What its reader would be told in return, from TwiML or Telegram's answer; null: nothing. */
function saidIn({ body, contentType }: Reply): string | null {
  if (body === null || body === "") return null
  if (contentType === "text/xml") return /<(Message|Say)[^>]*>([^<]*)</.exec(body)?.[2] ?? null
  if (!contentType.startsWith(JSON_TYPE)) return null
  const value: unknown = JSON.parse(body)
  return isJsonObject(value) && typeof value["text"] === "string" ? value["text"] : null
}
