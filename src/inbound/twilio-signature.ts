/**
 * Twilio's signature: HMAC-SHA1 over the URL that Twilio asked for and the form's fields, sorted by name, each name and
 * value without anything between. The URL is the public one, which behind a proxy is not the one that arrives here.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import type { Secret } from "../domain/secret.ts"

const MAC_BYTES = 20
const NOBODYS_KEY = randomBytes(MAC_BYTES)
/** Twilio's own 30 fields, with room; the work for a stranger's form has an end. */
const MOST_FIELDS = 200

export interface TwilioRequest {
  /** Each URL under which Twilio may have asked for this request. */
  readonly urls: readonly string[]
  /** The body, decoded; null: it is no form. */
  readonly form: URLSearchParams | null
  /** Of the header, as it came. */
  readonly signature: string | null
}

/** By which an answer is known to have come before, and what Twilio's look like. */
const IDS = ["MessageSid", "CallSid"]
const ID = /^(?:SM|MM|CA)[0-9a-f]{32}$/

/**
 * Nothing stands between names and values where they are signed: the same signature fits a form whose id ends earlier and
 * whose rest is another field, which would be another answer. An id that is whole cannot be cut so.
 */
const isWhole = (form: URLSearchParams): boolean =>
  IDS.every((name) => form.getAll(name).every((value) => ID.test(value)))

/** Without a token nothing is signed, and the work is done all the same. */
export function isTwilioSigned({ urls, form, signature }: TwilioRequest, token: Secret | null): boolean {
  const given = macIn(signature)
  const fields = form === null ? null : fieldsOf(form)
  let signed = false
  for (const url of urls.flatMap(withAndWithoutPort)) {
    const mac = createHmac("sha1", token?.reveal() ?? NOBODYS_KEY)
      .update(url)
      .update(fields ?? "")
      .digest()
    if (timingSafeEqual(mac, given ?? Buffer.alloc(MAC_BYTES)) && given !== null) signed = true
  }
  return signed && token !== null && fields !== null && form !== null && isWhole(form)
}

/** Twenty bytes in base64, and in no other spelling. */
function macIn(text: string | null): Buffer | null {
  if (text === null || !/^[A-Za-z0-9+/]{27}=$/.test(text)) return null
  const mac = Buffer.from(text, "base64")
  return mac.toString("base64") === text ? mac : null
}

/** Null: more than Twilio sends. A name that stands several times has each of its values once, sorted. */
function fieldsOf(form: URLSearchParams): string | null {
  if (form.size > MOST_FIELDS) return null
  const names = [...new Set(form.keys())].sort()
  return names
    .map((name) =>
      [...new Set(form.getAll(name))]
        .sort()
        .map((value) => name + value)
        .join(""),
    )
    .join("")
}

/** Twilio leaves a port out, or keeps it as the URL was configured; its own library takes both. */
function withAndWithoutPort(url: string): readonly string[] {
  const [, scheme = "", host = "", port = "", rest = ""] = /^(https?:\/\/)([^/?#]*?)(:\d+)?([/?#].*)?$/s.exec(url) ?? []
  if (scheme === "") return [url]
  const standard = scheme === "https://" ? ":443" : ":80"
  return port === "" || port === standard
    ? [scheme + host + rest, scheme + host + standard + rest]
    : [url, scheme + host + rest]
}
