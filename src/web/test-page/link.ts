/**
 * What of the page is in its address, so that it can be sent to somebody: topics and the way to connect. Never a token,
 * a key or a name. `#place=b1/l1&topic=dashboard&vsn=1.0.0`
 */
import type { Version } from "./wire.ts"

export type TransportName = "websocket" | "longpoll"

/** A topic, and of a place what it is made of: the hyphen form alone does not tell. */
export interface Wanted {
  readonly topic: string
  readonly place: { readonly business: string; readonly location: string | null } | null
}

export interface Linked {
  readonly wanted: readonly Wanted[]
  readonly transport: TransportName
  readonly version: Version
}

const ID = /^[A-Za-z0-9_.-]{1,64}$/
/** As many as a socket may join. */
const MOST = 100

/** The topic of a place. `colon`: the spelling that has one meaning. */
export function placeTopic(business: string, location: string, colon: boolean): Wanted {
  return location === ""
    ? { topic: `resources:${business}`, place: { business, location: null } }
    : {
        topic: `resources:${business}${colon ? ":" : "-"}${location}`,
        place: { business, location },
      }
}

export function readLink(hash: string): Linked {
  const given = new URLSearchParams(hash.replace(/^#/, ""))
  const wanted: Wanted[] = []
  for (const [name, value] of given) {
    const one = name === "place" ? readPlace(value) : name === "topic" ? readTopic(value) : null
    if (one !== null && wanted.length < MOST && wanted.every(({ topic }) => topic !== one.topic)) wanted.push(one)
  }
  const transport = given.get("transport") === "longpoll" ? "longpoll" : "websocket"
  return { wanted, transport, version: versionFor(transport, given.get("vsn") === "1.0.0" ? "1.0.0" : "2.0.0") }
}

/** The stock client polls in batches of lines, which only version 2 has. */
export const versionFor = (transport: TransportName, version: Version): Version =>
  transport === "longpoll" ? "2.0.0" : version

/** The fragment, with its `#`; empty where there is nothing to say. */
export function writeLink({ wanted, transport, version }: Linked): string {
  const parts = wanted.map(({ topic, place }) => {
    if (place === null) return `topic=${plain(topic)}`
    const { business, location } = place
    if (location === null) return `place=${plain(business)}`
    return `place=${plain(business)}/${plain(location)}${topic === `resources:${business}:${location}` ? "/colon" : ""}`
  })
  if (transport !== "websocket") parts.push(`transport=${transport}`)
  if (version !== "2.0.0") parts.push(`vsn=${version}`)
  return parts.length === 0 ? "" : `#${parts.join("&")}`
}

/** Readable where the fragment allows it. */
const plain = (value: string): string => encodeURIComponent(value).replaceAll("%3A", ":").replaceAll("%40", "@")

function readPlace(value: string): Wanted | null {
  const [business = "", location = "", form] = value.split("/")
  if (!ID.test(business) || (location !== "" && !ID.test(location))) return null
  return placeTopic(business, location, form === "colon")
}

/** A topic as somebody wrote it; the colon form of a place is known as one. */
export function readTopic(value: string): Wanted | null {
  const topic = value.trim()
  if (topic === "" || topic.length > 255) return null
  const [family, business = "", location = "", ...rest] = topic.split(":")
  const place =
    family === "resources" && rest.length === 0 && ID.test(business) && ID.test(location)
      ? { business, location }
      : null
  return { topic, place }
}
