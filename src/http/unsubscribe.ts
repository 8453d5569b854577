/**
 * The two links by which somebody stops messages without a login. `unsubscribe` is one click (RFC 8058): a POST by a mail
 * program is all it takes, and a GET only shows the button. `preferences` shows what one gets, and changes it.
 */
import { type Channel, PERSONAL_CHANNELS } from "../domain/channel.ts"
import type { RecipientId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { LinkTokens, PreferencesLink, UnsubscribeLink } from "../domain/link-token.ts"
import { COMMERCIAL, type Preferences, unsubscribed } from "../domain/preferences.ts"
import type { Database } from "../store/database.ts"
import { changePreferences, getPreferences } from "../store/preferences.ts"
import { getRecipient, localeOf } from "../store/recipients.ts"
import { suppressionsOf } from "../store/suppressions.ts"
import { decode, mediaType, readBytes, unsupported } from "./body.ts"
import { deadLink, type LinkChoice, type LinkForm, linkPage } from "./link-page.ts"
import { type LinkWords, linkWords } from "./link-words.ts"
import type { Answer, Call, Method, Route, RouteFile } from "./route.ts"
import { query } from "./route.ts"

export interface UnsubscribeDeps {
  readonly db: Database
  readonly links: Pick<LinkTokens, "readUnsubscribe" | "readPreferences">
  /** Milliseconds since the Unix epoch. */
  readonly wall: () => number
}

const BODY_BYTES = 64 * 1024
const FORM = "application/x-www-form-urlencoded"

export function unsubscribeRoutes({ db, links, wall }: UnsubscribeDeps): RouteFile {
  /** Of every person whom the message reached: an address that several share is one mailbox. */
  const stop = ({ recipients, channel, category, commercial }: UnsubscribeLink): Promise<unknown> => {
    const link = { channel, category, commercial }
    return consents(recipients, "unsubscribe", link, (now) => unsubscribed(now, link))
  }
  /** A mail program that asks again changes nothing. Each is noted as done by whom the link was for. */
  const consents = async (
    recipients: readonly RecipientId[],
    verb: "unsubscribe" | "choose",
    detail: JsonObject,
    change: (now: Preferences) => Preferences,
  ): Promise<void> => {
    const common = { action: `preferences.${verb}`, businesses: null, detail: { by: "link", ...detail } } as const
    await changePreferences(db, recipients, change, (recipient) => ({ ...common, actor: `person:${recipient}` }))
  }
  /** Channels on which somebody's address takes no messages, whatever they choose here. */
  const closedOf = async (recipient: RecipientId): Promise<ReadonlySet<Channel>> => {
    const known = await getRecipient(db, recipient)
    return new Set(known === null ? [] : (await suppressionsOf(db, known)).map(({ channel }) => channel))
  }
  /** In the reader's own language, else in one that their browser speaks. */
  const wordsFor = async ({ request }: Call, reader: RecipientId | undefined): Promise<LinkWords> =>
    linkWords(reader === undefined ? null : await localeOf(db, reader), request.headers.get("accept-language"))

  const unsubscribe = async (call: Call, acts: boolean): Promise<Answer> => {
    const link = links.readUnsubscribe(call.params["token"] ?? "")
    const words = await wordsFor(call, link?.recipients[0])
    if (link === null || link.recipients.length === 0) return deadLink(words)
    const all = query(call).get("scope") === "all" && link.commercial
    const asked = all ? { ...link, category: COMMERCIAL } : link
    const { title, asks, done, says } = words.unsubscribe
    if (!acts) return linkPage(200, { words, title, says: asks(what(link, words)), forms: stops(link, words) })
    await stop(asked)
    return linkPage(200, { words, title: done, says: says(what(asked, words)) })
  }

  const wishesOf = async (call: Call, acts: boolean): Promise<Answer> => {
    const link = links.readPreferences(call.params["token"] ?? "")
    const words = await wordsFor(call, link?.recipient)
    if (link === null || link.until <= wall()) return deadLink(words)
    const closed = await closedOf(link.recipient)
    if (!acts) return choose(link, await getPreferences(db, link.recipient), closed, words)
    if (mediaType(call.request) !== FORM) return unsupported(mediaType(call.request), [FORM])
    const bytes = await readBytes(call.request, BODY_BYTES)
    if ("kind" in bytes) return bytes
    const body = decode(bytes)
    if (typeof body !== "string") return body
    const on = new Set(new URLSearchParams(body).keys())
    await consents([link.recipient], "choose", {}, (now) => chosen(now, on, closed))
    return linkPage(200, { words, ...words.preferences.saved })
  }

  const routesOf = (name: string, summary: readonly [string, string], handle: typeof unsubscribe): readonly Route[] =>
    (["GET", "POST"] as const).map((method: Method, i) => ({
      method,
      path: `/v1/${name}/:token`,
      access: "open",
      doc: {
        summary: summary[i] ?? "",
        tag: "Links in messages",
        ...(name === "preferences" && method === "POST"
          ? { body: { [FORM]: { schema: { type: "object", additionalProperties: { type: "string" } } } } }
          : {}),
        answers: { 200: { description: "A page", contentType: "text/html" } },
      },
      handle: (call) => handle(call, method === "POST"),
    }))

  return {
    routes: [
      ...routesOf(
        "unsubscribe",
        ["Show the button that unsubscribes", "Unsubscribe, in one click (RFC 8058)"],
        unsubscribe,
      ),
      ...routesOf("preferences", ["Show what the reader of a message gets", "Change what the reader gets"], wishesOf),
    ],
  }
}

/** `e-mails about billing` */
function what({ channel, category, commercial }: UnsubscribeLink, { names, advertising, about }: LinkWords): string {
  if (category === COMMERCIAL || (category === null && commercial)) return advertising(names[channel])
  return category === null ? names[channel] : about(names[channel], category)
}

/** Whoever gets advertising can always stop all of it at once. */
function stops(link: UnsubscribeLink, words: LinkWords): readonly LinkForm[] {
  const { stop, stopAll } = words.unsubscribe
  const all = link.commercial && link.category !== null && link.category !== COMMERCIAL
  return [
    { button: stop(what(link, words)) },
    ...(all ? [{ button: stopAll(words.names[link.channel]), query: "?scope=all" }] : []),
  ]
}

function choose({ until }: PreferencesLink, now: Preferences, closed: ReadonlySet<Channel>, words: LinkWords): Answer {
  const { names, about } = words
  const channels = PERSONAL_CHANNELS.map((channel): LinkChoice => {
    const fixed = closed.has(channel)
    return { name: channel, label: names[channel], on: !fixed && now.channels[channel] !== false, fixed }
  })
  const refused = refusedOf(now).map(
    ({ name, category, channel }): LinkChoice => ({ name, label: about(names[channel], category), on: false }),
  )
  const { title, asks, save } = words.preferences
  const says = asks(new Date(until).toISOString().slice(0, 10))
  return linkPage(200, { words, title, says, forms: [{ button: save, choices: [...channels, ...refused] }] })
}

/** The categories that somebody said no to, which can be taken back. */
const refusedOf = ({ categories }: Preferences) =>
  Object.entries(categories).flatMap(([category, wishes]) =>
    PERSONAL_CHANNELS.filter((channel) => wishes[channel] === false).map((channel) => ({
      name: `${channel}:${category}`,
      category,
      channel,
    })),
  )

/** `on`: names of the boxes that are checked. Of what is closed nothing is said. */
function chosen(now: Preferences, on: ReadonlySet<string>, closed: ReadonlySet<Channel>): Preferences {
  const channels: Partial<Record<Channel, boolean>> = { ...now.channels }
  for (const channel of PERSONAL_CHANNELS) {
    if (closed.has(channel)) continue
    if (!on.has(channel)) channels[channel] = false
    else if (channels[channel] === false) delete channels[channel]
  }
  const takenBack = new Set(refusedOf(now).flatMap(({ name }) => (on.has(name) ? [name] : [])))
  const categories = Object.entries(now.categories).flatMap(([category, wishes]) => {
    const left = Object.entries(wishes).filter(([channel]) => !takenBack.has(`${channel}:${category}`))
    return left.length === 0 ? [] : [[category, Object.fromEntries(left)] as const]
  })
  return { ...now, channels, categories: Object.fromEntries(categories) }
}
