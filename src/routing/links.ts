/** The hub's own links in a message: what its reader may do without a login, by the tokens that say for whom and for what. */
import type { Channel } from "../domain/channel.ts"
import type { DeliveryId, NotificationId, RecipientId } from "../domain/ids.ts"
import type { LinkTokens } from "../domain/link-token.ts"
import type { AddressTo } from "./addressees.ts"
import type { LoadedNotify } from "./rule-set.ts"

/** What templates see as `it.links.…`, beside the action's. Null: there is none here. */
export interface ReaderLinks {
  readonly preferences: string | null
  readonly unsubscribe: string | null
  readonly acknowledge: string | null
}

/** Whom and what the links of one message are about. */
export interface Linked {
  /** Everybody whom it tells; first the one for whom it is written. */
  readonly readers: readonly RecipientId[]
  readonly told: DeliveryId | NotificationId
  /** The moment of telling. Milliseconds since the Unix epoch. */
  readonly at: number
}

export interface LinkSettings {
  /** Without a slash at its end. */
  readonly publicUrl: string
  /** Absent: the links are samples, the same every time. */
  readonly tokens?: Pick<LinkTokens, "unsubscribe" | "preferences" | "acknowledge">
}

const DAY_MS = 86_400_000
/** A link by which wishes are read and changed is not to work for whoever finds the mail in some years. */
const PREFERENCES_MS = 90 * DAY_MS
/** People behind one address: more would make no link that fits into a header. */
const MAX_READERS = 20

const linksBy = (publicUrl: string, tokenOf: (kind: keyof ReaderLinks) => string | null): ReaderLinks => {
  const link = (kind: keyof ReaderLinks): string | null => {
    const token = tokenOf(kind)
    return token === null ? null : `${publicUrl.replace(/\/+$/, "")}/v1/${kind}/${token}`
  }
  // Made when a template asks: most messages show none of them, and three signatures take as long as a plan.
  return {
    get preferences() {
      return link("preferences")
    },
    get unsubscribe() {
      return link("unsubscribe")
    },
    get acknowledge() {
      return link("acknowledge")
    },
  }
}

export const sampleLinks = (publicUrl: string): ReaderLinks => linksBy(publicUrl, () => "sample")

/**
 * The links of a message. What goes to no address of the reader's own (the hub's Slack, which many read) holds none that
 * speaks for a person; the inbox, which stays, none that stops it.
 */
export function linksOf(
  { publicUrl, tokens }: LinkSettings,
  { category, commercial }: Pick<LoadedNotify, "category" | "commercial">,
  channel: Channel,
  to: AddressTo,
  linked: Linked | null,
): ReaderLinks {
  if (tokens === undefined || linked === null) return sampleLinks(publicUrl)
  const [reader] = linked.readers
  const own = channel === "inapp" || to !== null ? reader : undefined
  return linksBy(publicUrl, (kind) => {
    switch (kind) {
      case "acknowledge":
        return tokens.acknowledge(linked.told)
      case "preferences":
        return own === undefined ? null : tokens.preferences({ recipient: own, until: linked.at + PREFERENCES_MS })
      case "unsubscribe": {
        if (own === undefined || channel === "inapp") return null
        return tokens.unsubscribe({ recipients: linked.readers.slice(0, MAX_READERS), channel, category, commercial })
      }
    }
  })
}
