/**
 * What a caller may see of the supervision tree, from their tenancy alone. The hub's own parts are every admin's; an
 * actor that comes and goes for one tenant (a topic) is shown to those who may see that place. What cannot be told
 * from an actor's id is nobody's but an unlimited admin's.
 */
import type { BusinessId, LocationId } from "../domain/ids.ts"
import { maySee, type Tenancy } from "../domain/principal.ts"
import { type ScrubbedText, scrub } from "./scrub.ts"

export interface Sight {
  /** Equal for callers who may see the same, so that what is made for one serves all of them. Names no tenant. */
  readonly key: string
  /** Not confined to businesses: sees every actor and every reason, and may restart any part. */
  readonly unlimited: boolean
  /** True for actors of places that the tenancy names. */
  owns(id: string): boolean
  /** True for a place that the tenancy names; a null location is the whole business. */
  sees(business: BusinessId, location: LocationId | null): boolean
  /** True for a business that the tenancy names, whole or in part: as the lists of what is kept by business. */
  has(business: BusinessId): boolean
}

/** As topics name their actors; then the business, and the location after a colon, which no id holds. */
const TOPIC_OF_A_PLACE = "topic resources:"

export function sightOf(tenancy: Tenancy): Sight {
  if (tenancy === "*") return { key: "*", unlimited: true, owns: () => true, sees: () => true, has: () => true }
  const canonical = tenancy.map(({ business, locations }) => [business, locations?.toSorted() ?? null])
  return {
    key: digest(JSON.stringify(canonical.toSorted())),
    unlimited: false,
    sees: (business, location) => maySee(tenancy, business, location),
    has: (business) => tenancy.some((grant) => grant.business === business),
    // Asked of every topic at every look, so without patterns.
    owns(id) {
      if (!id.startsWith(TOPIC_OF_A_PLACE)) return false
      const [business = "", location, more] = id.slice(TOPIC_OF_A_PLACE.length).split(":")
      // Only compared with the ids of the grants, whatever they are.
      return more === undefined && maySee(tenancy, business as BusinessId, (location as LocationId | undefined) ?? null)
    },
  }
}

/** A recipient's id after the word: a topic's own form has `#` and a hash there. */
const PERSON = /\b(notifications:)(?!#).*/

/** How an actor is called on a screen: nobody's name or address, one line. */
export const shownName = (id: string): ScrubbedText => scrub(id.replace(PERSON, "$1«person»"))

/** The id to show and to ask a restart by: the actor's own where that names nobody, else `~` and 16 hex digits. */
export const shownId = (id: string): string => (id.startsWith("~") || shownName(id) !== id ? hashed(id) : id)

/** True where a caller who was shown this actor asks for it by `asked`. */
export const isShownAs = (id: string, asked: string): boolean =>
  // The cheap half first: it is asked of every actor there is.
  (asked.startsWith("~") ? hashed(id) : id) === asked && shownId(id) === asked

const hashed = (id: string): string => `~${digest(id).slice(0, 16)}`

const digest = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex")
