/** Resend's reports, signed by Svix as Standard Webhooks are: what became of mail, and mail that came back as an answer. */
import { asDeliveryId } from "../domain/ids.ts"
import { DELIVERY_TAG, type Receipt } from "../domain/receipt.ts"
import type { Secret } from "../domain/secret.ts"
import { problem } from "../http/problem.ts"
import { noContent } from "../http/route.ts"
import { signedBy } from "../ingest/standard-webhook-signature.ts"
import { lastSentTo } from "../store/inbound.ts"
import { RESEND_DOC } from "./docs.ts"
import { asObject, asText, type Door, type DoorOptions, ID_LENGTH, objectIn, type Taken } from "./door.ts"

const RECEIPT_OF: Readonly<Record<string, Receipt>> = {
  "email.delivered": "delivered",
  "email.opened": "opened",
  "email.clicked": "clicked",
  "email.bounced": "bounced",
  "email.complained": "complained",
  "email.failed": "undelivered",
  "email.suppressed": "undelivered",
}
/** Bounces that say nothing of tomorrow. */
const PASSING = new Set(["transient", "undetermined"])
const PREFIX = "whsec_"
const NOTHING: Taken = { what: "nothing", effect: "nothing", reply: noContent() }

/** `secret`: as Resend shows it, `whsec_…`. */
export function resendDoor(secret: Secret | null, { db, clock, effects }: DoorOptions): Door {
  return {
    via: "resend",
    doc: RESEND_DOC,
    secret,
    isSigned({ request: { headers } }, body) {
      const message = {
        id: headers.get("svix-id"),
        timestamp: headers.get("svix-timestamp"),
        signature: headers.get("svix-signature"),
        body,
      }
      return signedBy(message, secret === null ? [] : [keyOf(secret)], clock.wall().getTime()) !== null
    },
    async take({ request }, body) {
      const id = request.headers.get("svix-id") ?? ""
      if (id.length > ID_LENGTH) return problem("malformed", `the header svix-id holds 1 to ${ID_LENGTH} characters`)
      const read = objectIn(body)
      if ("kind" in read) return read
      const [type, data] = [asText(read.value["type"], 100), asObject(read.value["data"])]
      if (type === null || data === null) return problem("invalid", "expected {type, created_at, data}")
      const by = { via: "resend", id } as const
      if (type === "email.received") return received(by, data)
      const receipt = Object.hasOwn(RECEIPT_OF, type) ? RECEIPT_OF[type] : undefined
      if (receipt === undefined) return NOTHING
      const reported = {
        channels: ["email"] as const,
        delivery: asDeliveryId(tagOf(data["tags"]) ?? ""),
        providerMessageId: asText(data["email_id"], ID_LENGTH),
      }
      const back = receipt === "bounced" && !PASSING.has(bounceOf(data)) ? receipt : null
      const suppressed = receipt === "complained" ? receipt : back
      return { what: "receipt", effect: await effects.report(by, reported, receipt, suppressed), reply: noContent() }
    },
  }

  /** Resend does not send the words along: what an event holds is who wrote, about what, and where the words are. */
  async function received(
    by: { readonly via: "resend"; readonly id: string },
    data: Readonly<Record<string, unknown>>,
  ): Promise<Taken> {
    const from = addressIn(asText(data["from"], 1_000) ?? "")
    if (from !== null) await effects.heard("email", from)
    const delivery = from === null ? null : await lastSentTo(db, "email", from)
    if (delivery === null) return { what: "reply", effect: "unknown", reply: noContent() }
    const subject = asText(data["subject"], 10_000) ?? ""
    const email = asText(data["email_id"], ID_LENGTH)
    const more = email === null ? {} : { email_id: email }
    const effect = await effects.reply(by, { delivery, channel: "email", text: subject, more })
    return { what: "reply", effect, reply: noContent() }
  }
}

function keyOf(secret: Secret): Buffer {
  const text = secret.reveal()
  return Buffer.from(text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text, "base64")
}

/** Resend has shown tags as an object and as a list of pairs. */
function tagOf(tags: unknown): string | null {
  if (Array.isArray(tags)) {
    const own = tags.map(asObject).find((tag) => tag?.["name"] === DELIVERY_TAG)
    return asText(own?.["value"], ID_LENGTH)
  }
  return asText(asObject(tags)?.[DELIVERY_TAG], ID_LENGTH)
}

const bounceOf = (data: Readonly<Record<string, unknown>>): string =>
  (asText(asObject(data["bounce"])?.["type"], 100) ?? "").toLowerCase()

/** Of `Name <a@b>` or `a@b`. */
const addressIn = (from: string): string | null =>
  /<([^<>\s]+@[^<>\s]+)>\s*$|^\s*([^<>\s]+@[^<>\s]+)\s*$/
    .exec(from)
    ?.slice(1)
    .find((found) => found !== undefined) ?? null
