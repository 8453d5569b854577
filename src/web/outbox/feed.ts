/** The captured messages that this page knows, newest first, and how they are asked for. */
import type { Api } from "../shared/api.ts"
import { type Captured, readCapturedPage } from "./captured.ts"

const PAGE = 50
/** So that a day at full speed does not fill the tab: older ones can be asked for again. */
const MOST = 1_000

export interface Feed {
  readonly items: readonly Captured[]
  readonly hasMore: boolean
  /** Asks for the newest; true where something has changed. A refusal is thrown as `FeedTrouble`. */
  refresh(): Promise<boolean>
  older(): Promise<void>
  /** Null: every channel. Forgets what is there. */
  choose(channel: string | null): void
}

/** `refused`: this token opens no outbox. `away`: the hub does not answer, or not with an outbox. */
export class FeedTrouble extends Error {
  readonly kind: "refused" | "away"
  constructor(kind: "refused" | "away", detail: string) {
    super(detail)
    this.kind = kind
  }
}

export function createFeed(api: Api): Feed {
  let items: readonly Captured[] = []
  let hasMore = false
  let channel: string | null = null
  let epoch = 0

  const ask = async (after: string | null) => {
    const query = new URLSearchParams({ every: "true", limit: String(PAGE) })
    if (channel !== null) query.set("channel", channel)
    if (after !== null) query.set("after", after)
    const answer = await api.call("GET", `v1/outbox?${query}`)
    if (answer.kind === "refused") throw new FeedTrouble("refused", answer.detail)
    if (answer.kind === "failed") throw new FeedTrouble(answer.status === 403 ? "refused" : "away", answer.detail)
    const page = readCapturedPage(answer.body)
    if (page === null) throw new FeedTrouble("away", "the answer is no outbox")
    return page
  }

  return {
    get items() {
      return items
    },
    get hasMore() {
      return hasMore
    },
    async refresh() {
      const asked = epoch
      const page = await ask(null)
      if (asked !== epoch) return false
      const oldest = page.items.at(-1)?.id
      const seam = oldest === undefined ? -1 : items.findIndex(({ id }) => id === oldest)
      const before = items.map(stateOf).join()
      // Without a seam more has come than a page holds: what lies between is asked for with the older ones.
      const rest = seam < 0 ? [] : items.slice(seam + 1)
      items = [...page.items, ...rest].slice(0, MOST)
      if (rest.length === 0) hasMore = page.hasMore
      return items.map(stateOf).join() !== before
    },
    async older() {
      const asked = epoch
      const page = await ask(items.at(-1)?.id ?? null)
      if (asked !== epoch) return
      items = [...items, ...page.items]
      hasMore = page.hasMore && items.length < MOST
    },
    choose(next) {
      channel = next
      items = []
      hasMore = false
      epoch += 1
    },
  }
}

/** What of a message may change while somebody looks. */
const stateOf = ({ id, status, tries, receipt, next }: Captured): string =>
  [id, status, tries, receipt, next.at].join(" ")
