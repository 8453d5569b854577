/** Actions that tell no person: `webhook`, a system; `broadcast`, the screens that are open. */
import type { WebhookAction } from "../../domain/rule.ts"
import { OWN_MESSAGES } from "../../domain/stream.ts"
import { oneOf, rightWord, shown } from "../rule-error.ts"
import type { LoadedBroadcast } from "../rule-set.ts"
import { compileField, fieldReader } from "../template-file.ts"
import { optional, type Reading } from "./reading.ts"
import { describe, type Field, type Node, scalarOf, type YamlFile } from "./yaml-file.ts"

const SECRET_BYTES = { least: 24, most: 64 } as const
/** A name in HUB_WEBHOOK_SECRETS. */
const SECRET_NAME = /^[A-Za-z0-9_.-]{1,64}$/

/** Null where it cannot be; what is wrong with it is in `reading.errors`. */
export function readWebhook(
  yaml: YamlFile,
  reading: Reading,
  fields: ReadonlyMap<string, Field>,
): Omit<WebhookAction, "mode" | "inhibitedBy"> | null {
  const url = optional(fields.get("url"), (value) => readUrl(yaml, value))
  const secret = optional(fields.get("secret"), (value) => readSecret(yaml, reading, value))
  return url === null ? null : { type: "webhook", url, secret }
}

/** This machine's own names: production refuses them when it sends, as it does every private address. */
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]

function readUrl(yaml: YamlFile, node: Node): string | null {
  const written = yaml.text(node, "an https address", 2_000)
  if (written === null) return null
  const url = URL.canParse(written) ? new URL(written) : null
  const fits =
    url !== null && (url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.includes(url.hostname)))
  if (url !== null && (url.username !== "" || url.password !== "")) {
    yaml.refuse(node, "an address with a password in it", "one without: a rule is read by many")
    return null
  }
  if (fits) return url.href
  yaml.refuse(node, `the address ${shown(written)}`, "an https address; http only to localhost")
  return null
}

/** Never shown in an error: what is no secret may be one that was misspelt. */
function readSecret(yaml: YamlFile, { webhookSecrets }: Reading, node: Node): string | null {
  const value = scalarOf(node)
  if (typeof value === "string" && value.startsWith("whsec_")) {
    const base64 = value.slice("whsec_".length)
    const bytes = /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? Buffer.from(base64, "base64").length : 0
    if (bytes >= SECRET_BYTES.least && bytes <= SECRET_BYTES.most) return value
    const expected = `whsec_ and ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes in base64`
    yaml.refuse(node, "a secret that cannot be one", expected)
    return null
  }
  if (typeof value !== "string" || !SECRET_NAME.test(value)) {
    yaml.refuse(node, "a secret that cannot be one", "a name in HUB_WEBHOOK_SECRETS, or whsec_…")
    return null
  }
  if (webhookSecrets === undefined || webhookSecrets.includes(value)) return value
  const known = webhookSecrets.length === 0 ? "a name in HUB_WEBHOOK_SECRETS" : oneOf(webhookSecrets)
  yaml.refuse(
    node,
    `the secret ${shown(value)}, which HUB_WEBHOOK_SECRETS does not name`,
    known,
    rightWord(value, webhookSecrets),
  )
  return null
}

export function readBroadcast(
  yaml: YamlFile,
  reading: Reading,
  fields: ReadonlyMap<string, Field>,
): Omit<LoadedBroadcast, "mode" | "inhibitedBy"> | null {
  const topic = fields.get("topic")
  const event = optional(fields.get("event"), (value) => readSocketEvent(yaml, value))
  if (topic === undefined) return null
  const reader = fieldReader(yaml, reading.errors, ["event", "payload"])
  const topicWords = compileField(yaml, topic.value, false, reader)
  const written = scalarOf(topic.value)
  if (topicWords === null || typeof written !== "string") return null
  if (!written.startsWith("resources:")) {
    const expected = "resources: and the event's business, such as resources:<%= it.event.business_id %>"
    yaml.refuse(topic.value, `the topic ${shown(written)}`, expected)
  }
  return event === null ? null : { type: "broadcast", topic: written, event, topicWords }
}

/** Phoenix keeps names for itself, and so does the hub. */
function readSocketEvent(yaml: YamlFile, node: Node): string | null {
  const name = yaml.text(node, "the name of a message", 100)
  if (name === null) return null
  if (OWN_MESSAGES.some((own) => own === name)) {
    yaml.refuse(node, `the message ${describe(node)}`, "a name that is not the hub's own")
    return null
  }
  if (!name.startsWith("phx_") && !/[\s\p{Cc}]/u.test(name)) return name
  yaml.refuse(node, `the message ${describe(node)}`, "a name without spaces that does not begin with phx_")
  return null
}
