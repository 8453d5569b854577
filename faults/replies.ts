/** Everything that a provider may do with a request, and what a delivery is to make of it on each channel. */
import type { SendingChannel } from "../src/domain/channel.ts"
import type { Behaviour } from "../src/testing/fake-providers.ts"

/** Of one try: `outcome/reason`. A list where several are right. */
type Classed = string | readonly string[]

export interface Reply {
  readonly name: string
  readonly behaviour: Behaviour
  readonly means: Classed | Partial<Record<SendingChannel, Classed>>
  /** Not before so long after the answer, where the provider asked for it; the hub believes 1 s to 1 h. */
  readonly waits?: { readonly least: number; readonly most: number }
  /** It is tried on its own, last: it stops the account. */
  readonly account?: true
}

const TEN_YEARS = 315_360_000
const answer = (status: number, body: unknown = {}, headers: Readonly<Record<string, string>> = {}): Behaviour => ({
  kind: "answer",
  status,
  headers,
  body,
})
const slower = (seconds: string, headers: Readonly<Record<string, string>> = {}): Behaviour =>
  answer(429, "slow down", { "retry-after": seconds, ...headers })

const THROTTLED = "retry/rate_limited"
/** Twilio may have sent by then, and takes no key; those that know the delivery's id may be asked again. */
const BROKEN = {
  telegram: "retry/provider_error",
  slack: "retry/provider_error",
  email: "retry/provider_error",
  sms: "unknown/provider_error",
  voice: "unknown/provider_error",
  push: "retry/provider_error",
  webhook: "retry/provider_error",
} as const
const KEYED: readonly SendingChannel[] = ["email", "push", "webhook"]
const CHANNELS: readonly SendingChannel[] = ["telegram", "slack", "email", "sms", "voice", "push", "webhook"]
/** No whole answer: harmless to repeat where the provider knows the delivery's id. */
const silence = (reason: string): Partial<Record<SendingChannel, Classed>> =>
  Object.fromEntries(CHANNELS.map((channel) => [channel, `${KEYED.includes(channel) ? "retry" : "unknown"}/${reason}`]))
/** A success that cannot be read; a webhook's status says all. */
const unreadable = { ...silence("unreadable_answer"), webhook: "delivered/null" }
const HOUR_MS = 3_600_000
const ZEROS = Bun.gzipSync(new Uint8Array(256 * 1_024 * 1_024))
const BOMB_HEAD = ["HTTP/1.1 200 OK", "content-encoding: gzip", `content-length: ${ZEROS.length}`, "connection: close"]
/** 256 MB for whoever unpacks it. Its connection is said to end, or another request could be on its way by then. */
const BOMB = Buffer.concat([Buffer.from(`${BOMB_HEAD.join("\r\n")}\r\n\r\n`), ZEROS])

export const REPLIES: readonly Reply[] = [
  { name: "takes it", behaviour: { kind: "ok" }, means: "delivered/null" },
  { name: "400", behaviour: answer(400, { message: "no" }), means: "rejected/bad_request" },
  {
    name: "410",
    behaviour: answer(410, { message: "gone" }),
    means: {
      webhook: "rejected/address_dead",
      telegram: "rejected/bad_request",
      email: "rejected/bad_request",
      sms: "rejected/bad_request",
      voice: "rejected/bad_request",
      push: "rejected/bad_request",
    },
  },
  { name: "413", behaviour: answer(413, { message: "too large" }), means: "rejected/bad_request" },
  { name: "429, 2 s", behaviour: slower("2"), means: THROTTLED, waits: { least: 2_000, most: 2_300 } },
  {
    name: "429, until a date",
    behaviour: slower("Fri, 20 Nov 2026 10:01:30 GMT", { date: "Fri, 20 Nov 2026 10:00:00 GMT" }),
    means: THROTTLED,
    waits: { least: 90_000, most: 99_100 },
  },
  {
    name: "429, 10 years",
    behaviour: slower(String(TEN_YEARS)),
    means: THROTTLED,
    waits: { least: HOUR_MS, most: 1.11 * HOUR_MS },
  },
  { name: "429, -5", behaviour: slower("-5"), means: THROTTLED, waits: { least: 0, most: 6_000 } },
  { name: "500", behaviour: answer(500, { message: "oops" }), means: BROKEN },
  {
    name: "HTML 502",
    behaviour: answer(502, "<html><h1>502 Bad Gateway</h1></html>", { "content-type": "text/html" }),
    means: BROKEN,
  },
  { name: "503", behaviour: answer(503, "away"), means: BROKEN },
  { name: "hang", behaviour: { kind: "hang" }, means: silence("timeout") },
  { name: "1 byte a second", behaviour: { kind: "drip" }, means: { ...unreadable } },
  { name: "reset", behaviour: { kind: "reset" }, means: silence("connection_lost") },
  {
    name: "closed in the head",
    behaviour: { kind: "raw", bytes: "HTTP/1.1 200 OK\r\nContent-Ty" },
    means: silence("connection_lost"),
  },
  {
    name: "no HTTP",
    behaviour: { kind: "raw", bytes: "\u0000\u0001 220 smtp ready\r\n\r\n" },
    means: silence("connection_lost"),
  },
  { name: "bomb", behaviour: { kind: "raw", bytes: BOMB }, means: unreadable },
  {
    name: "401",
    behaviour: answer(401, { message: "who?" }),
    means: {
      telegram: "unusable/bad_credential",
      email: "unusable/bad_credential",
      sms: "unusable/bad_credential",
      voice: "unusable/bad_credential",
      push: ["retry/token_refused", "unusable/bad_credential"],
      slack: "unusable/bad_webhook",
      webhook: "retry/not_authorized",
    },
    account: true,
  },
  {
    name: "redirect",
    behaviour: answer(302, "", { location: "http://127.0.0.1:1/" }),
    means: {
      telegram: "unusable/redirected",
      email: "unusable/redirected",
      sms: "unusable/redirected",
      voice: "unusable/redirected",
      push: "unusable/redirected",
      slack: "unusable/bad_webhook",
      webhook: "rejected/bad_request",
    },
    account: true,
  },
]

/** What one try of the channel may be seen as. */
export const expectedOf = ({ means }: Reply, channel: SendingChannel): readonly string[] => {
  const said =
    typeof means === "string" || Array.isArray(means)
      ? means
      : (means as Partial<Record<SendingChannel, Classed>>)[channel]
  return said === undefined ? [] : typeof said === "string" ? [said] : said
}
