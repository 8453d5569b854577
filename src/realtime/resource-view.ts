/**
 * Which stream a `resources:…` topic means to a caller. The string is compared whole with the topics that the caller's
 * own grants spell; it is never taken apart to find out what it may reach. Only for callers without limits, for whom
 * there is nothing to find out, every reading of the string counts.
 */
import { asBusinessId, asLocationId, type BusinessId, type LocationId } from "../domain/ids.ts"
import type { Tenancy } from "../domain/principal.ts"
import { resourceStream } from "../domain/stream.ts"
import { type Form, spelling, type TopicView } from "./fanout.ts"

export type ResolvedTopic =
  | { readonly kind: "view"; readonly view: TopicView; readonly form: Form }
  | { readonly kind: "unauthorized" }
  /** Two places of the caller's spell this string: only the colon form says which one is meant. */
  | { readonly kind: "ambiguous_topic" }

interface Place {
  readonly business: BusinessId
  readonly location: LocationId | null
  readonly form: Form
}

const PREFIX = "resources:"
/** Two ids of 64 characters and what stands between them. */
const LONGEST_PLACE = 129

/** What the topic means to a caller of this tenancy. */
export function resolveResourceTopic(tenancy: Tenancy, topic: string): ResolvedTopic {
  const found = tenancy === "*" ? everyReading(topic) : grantedPlaces(tenancy, topic)
  const places = [...new Map(found.map((place) => [resourceStream(place.business, place.location), place])).values()]
  const [first, second] = places
  if (first === undefined) return { kind: "unauthorized" }
  if (second === undefined) return { kind: "view", view: placeView(first.business, first.location), form: first.form }
  return tenancy === "*"
    ? { kind: "view", view: spelledView(topic, places), form: "whole" }
    : { kind: "ambiguous_topic" }
}

function grantedPlaces(tenancy: Exclude<Tenancy, "*">, topic: string): readonly Place[] {
  const places: Place[] = []
  for (const { business, locations } of tenancy) {
    if (locations === null && topic === PREFIX + business) places.push({ business, location: null, form: "whole" })
    for (const [form, separator] of [
      ["hyphen", "-"],
      ["colon", ":"],
    ] as const) {
      const start = PREFIX + business + separator
      if (locations !== null) {
        for (const location of locations) {
          if (topic === start + location) places.push({ business, location, form })
        }
      } else if (topic.startsWith(start)) {
        const location = asLocationId(topic.slice(start.length))
        if (location !== null) places.push({ business, location, form })
      }
    }
  }
  return places
}

/** Every business and every pair that this string can be read as. */
function everyReading(topic: string): readonly Place[] {
  if (!topic.startsWith(PREFIX)) return []
  const text = topic.slice(PREFIX.length)
  const places: Place[] = []
  if (text.length > LONGEST_PLACE) return places
  const whole = asBusinessId(text)
  if (whole !== null) places.push({ business: whole, location: null, form: "whole" })
  for (const [at, character] of [...text].entries()) {
    if (character !== "-" && character !== ":") continue
    const business = asBusinessId(text.slice(0, at))
    const location = asLocationId(text.slice(at + 1))
    if (business === null || location === null) continue
    places.push({ business, location, form: character === "-" ? "hyphen" : "colon" })
  }
  return places
}

function placeView(business: BusinessId, location: LocationId | null): TopicView {
  const stream = resourceStream(business, location)
  return {
    id: stream,
    family: "resources",
    streams: [stream],
    businesses: null,
    spellings:
      location === null
        ? [spelling(stream, "whole", PREFIX + business)]
        : [
            spelling(stream, "hyphen", `${PREFIX}${business}-${location}`),
            spelling(stream, "colon", `${PREFIX}${business}:${location}`),
          ],
    actor: `topic ${stream}`,
  }
}

function spelledView(topic: string, places: readonly Place[]): TopicView {
  const id = `spelled ${topic}`
  return {
    id,
    family: "resources",
    streams: places.map(({ business, location }) => resourceStream(business, location)),
    businesses: null,
    spellings: [spelling(id, "whole", topic)],
    actor: `topic spelled ${topic}`,
  }
}
