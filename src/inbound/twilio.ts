/**
 * What Twilio brings: text messages from people, what became of those we sent, what became of calls, and keys that were
 * pressed. Who answers is heard in TwiML; a word that Twilio answers by itself is not answered twice.
 */
import { sameSpelling } from "../domain/address.ts"
import { asDeliveryId } from "../domain/ids.ts"
import type { Receipt } from "../domain/receipt.ts"
import type { Secret } from "../domain/secret.ts"
import { decode, mediaType } from "../http/body.ts"
import { type Problem, problem } from "../http/problem.ts"
import { type Call, query, type Reply, text } from "../http/route.ts"
import { lastSentTo, messageOf } from "../store/inbound.ts"
import { suppressionsOf } from "../store/suppressions.ts"
import { TWILIO_DOC } from "./docs.ts"
import { type Door, type DoorOptions, ID_LENGTH, type Taken } from "./door.ts"
import { isTwilioSigned } from "./twilio-signature.ts"
import { isAnsweredByTwilio, type Meaning, meaningOf } from "./words.ts"

export interface TwilioDoor {
  /** Null: every request is refused. */
  readonly authToken: Secret | null
  /** Under which Twilio reaches the hub, without a slash at its end. */
  readonly publicUrl: string
  /** Also under the name that it was asked by: development, behind whatever tunnel. */
  readonly anyHost: boolean
}

const FORM = "application/x-www-form-urlencoded"
/** Of messages and of calls; whatever else they say is on the way. */
const MESSAGE_RECEIPTS: Readonly<Record<string, Receipt>> = {
  delivered: "delivered",
  read: "opened",
  undelivered: "undelivered",
  failed: "undelivered",
}
const CALL_RECEIPTS: Readonly<Record<string, Receipt>> = {
  completed: "delivered",
  busy: "undelivered",
  "no-answer": "undelivered",
  failed: "undelivered",
  canceled: "undelivered",
}
/** The number has said STOP to Twilio. */
const UNSUBSCRIBED = "21610"

const twiml = (inside = ""): Reply => text("text/xml", inside === "" ? "<Response/>" : `<Response>${inside}</Response>`)
const message = (words: string): Reply => twiml(`<Message>${words}</Message>`)
const NOTHING: Taken = { what: "nothing", effect: "nothing", reply: twiml() }

export function twilioDoor({ authToken, publicUrl, anyHost }: TwilioDoor, options: DoorOptions): Door {
  const { db, effects } = options

  const incoming = async (field: (name: string) => string, sid: string): Promise<Taken> => {
    const [from, body] = [field("From"), field("Body")]
    const by = { via: "twilio", id: sid } as const
    const own = { channel: "sms", address: from } as const
    await effects.heard("sms", from)
    const meaning = await meant(field("OptOutType"), body, from)
    const silent = field("OptOutType") !== "" || isAnsweredByTwilio(body)
    switch (meaning) {
      case "stop": {
        const effect = await effects.suppress(by, own, "stop")
        return { what: "stop", effect, reply: silent || effect !== "done" ? twiml() : message(said(body).stopped) }
      }
      case "start":
      case "yes": {
        const effect = await effects.resume(by, "sms", from)
        return { what: "start", effect, reply: silent || effect !== "done" ? twiml() : message(said(body).resumed) }
      }
      case "help":
        return { what: "help", effect: "nothing", reply: silent ? twiml() : message(said(body).help) }
      case "acknowledge":
      case null: {
        const delivery = await lastSentTo(db, "sms", from)
        const what = meaning === null ? "reply" : meaning
        if (delivery === null) return { what, effect: "unknown", reply: twiml() }
        const effect =
          meaning === null
            ? await effects.reply(by, { delivery, channel: "sms", text: body })
            : await effects.acknowledge(by, delivery)
        return { what, effect, reply: twiml() }
      }
    }
  }

  /** "Yes" takes STOP back, and is a consent to what was told where nobody had said STOP. */
  const meant = async (optOut: string, body: string, from: string): Promise<Meaning | null> => {
    const managed = meaningOf(optOut)
    if (managed === "stop" || managed === "start" || managed === "help") return managed
    const meaning = meaningOf(body)
    if (meaning !== "yes") return meaning
    const suppressed = await suppressionsOf(db, { phone: from, email: null, telegramChatId: null })
    return suppressed.some(({ channel }) => channel === "sms") ? "yes" : "acknowledge"
  }

  const keyPressed = async (call: Call, field: (name: string) => string, sid: string): Promise<Taken> => {
    const delivery = asDeliveryId(query(call).get("delivery") ?? "")
    const told = delivery === null ? null : await messageOf(db, delivery)
    if (delivery === null || told?.channel !== "voice")
      return { what: "acknowledge", effect: "unknown", reply: twiml("<Hangup/>") }
    if (sameSpelling("voice", told.to) !== sameSpelling("voice", field("To")))
      return { what: "acknowledge", effect: "not_theirs", reply: twiml("<Hangup/>") }
    const effect = await effects.acknowledge({ via: "twilio", id: `${sid} key` }, delivery)
    const arabic = told.language?.startsWith("ar") === true
    const thanks = arabic ? '<Say language="arb">تم التأكيد. شكراً.</Say>' : "<Say>Acknowledged. Thank you.</Say>"
    return { what: "acknowledge", effect, reply: twiml(`${effect === "unknown" ? "" : thanks}<Hangup/>`) }
  }

  return {
    via: "twilio",
    doc: TWILIO_DOC,
    secret: authToken,
    isSigned({ request }, body) {
      const asked = request.url.slice(request.url.indexOf("/", request.url.indexOf("://") + 3))
      const tunnelled = [request.url, request.url.replace(/^http:/, "https:")]
      return isTwilioSigned(
        {
          urls: [publicUrl + asked, ...(anyHost ? tunnelled : [])],
          form: formIn(request, body),
          signature: request.headers.get("x-twilio-signature"),
        },
        authToken,
      )
    },
    async take(call, body): Promise<Taken | Problem> {
      const form = formIn(call.request, body)
      const field = (name: string): string => form?.get(name) ?? ""
      const delivery = asDeliveryId(query(call).get("delivery") ?? "")
      const [sms, voice] = [field("MessageSid"), field("CallSid")]
      const sid = sms === "" ? voice : sms
      if (sid === "" || sid.length > ID_LENGTH) return problem("invalid", "expected a message or a call of Twilio")
      if (sms === "" && field("Digits") !== "") return keyPressed(call, field, sid)
      const status = field(sms === "" ? "CallStatus" : "MessageStatus").toLowerCase()
      if (status === "" && sms !== "" && field("From") !== "") return incoming(field, sid)
      const receipts = sms === "" ? CALL_RECEIPTS : MESSAGE_RECEIPTS
      const receipt = Object.hasOwn(receipts, status) ? receipts[status] : undefined
      if (receipt === undefined)
        return status === "" ? problem("invalid", "expected what became of a message, or an answer to one") : NOTHING
      const reported = { channels: [sms === "" ? "voice" : "sms"] as const, delivery, providerMessageId: sid }
      const suppressed = field("ErrorCode") === UNSUBSCRIBED ? "unsubscribed" : null
      const by = { via: "twilio", id: `${sid} ${status}` } as const
      return { what: "receipt", effect: await effects.report(by, reported, receipt, suppressed), reply: twiml() }
    },
  }
}

function formIn(request: Request, body: Uint8Array): URLSearchParams | null {
  if (mediaType(request) !== FORM) return null
  const decoded = decode(body)
  return typeof decoded === "string" ? new URLSearchParams(decoded) : null
}

/** One message that advertises nothing, in the language of the word. */
const said = (word: string): { readonly stopped: string; readonly resumed: string; readonly help: string } =>
  /\p{Script=Arabic}/u.test(word)
    ? {
        stopped: "تم إيقاف الرسائل إلى هذا الرقم. أرسل START للاستئناف.",
        resumed: "تم استئناف الرسائل إلى هذا الرقم. أرسل STOP للإيقاف.",
        help: "رسائل تنبيه. أرسل STOP للإيقاف أو START للاستئناف.",
      }
    : {
        stopped: "You get no more messages from this number. Reply START to get them again.",
        resumed: "You get messages from this number again. Reply STOP to stop them.",
        help: "Notifications. Reply STOP to stop them, START to get them again.",
      }
