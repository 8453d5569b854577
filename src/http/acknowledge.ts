/** The link by which whoever was told says "I have it", without a login: a GET shows the button, the POST acknowledges. */
import { asDeliveryId } from "../domain/ids.ts"
import type { LinkTokens } from "../domain/link-token.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Database } from "../store/database.ts"
import { toldBy } from "../store/inbound.ts"
import { acknowledgeTold, type Marked } from "../store/notifications.ts"
import { localeOf } from "../store/recipients.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { tellOfEnds } from "../telemetry/ends.ts"
import { inboxNewsOf } from "./inbox-news.ts"
import { deadLink, linkPage } from "./link-page.ts"
import { type LinkWords, linkWords } from "./link-words.ts"
import type { Call, RouteFile } from "./route.ts"

export interface AcknowledgeDeps {
  readonly db: Database
  readonly pubsub: PubSub
  readonly telemetry: Emitter
  readonly links: Pick<LinkTokens, "readAcknowledge">
}

const NOTHING: Marked = { items: [], calledOff: [] }

export function acknowledgeRoutes({ db, pubsub, telemetry, links }: AcknowledgeDeps): RouteFile {
  const told = ({ params }: Call) => links.readAcknowledge(params["token"] ?? "")
  /** In the language of whoever was told first. */
  const wordsFor = async ({ request }: Call, what: ReturnType<typeof told>): Promise<LinkWords> => {
    const delivery = asDeliveryId(what ?? "")
    const reader = delivery === null ? undefined : (await toldBy(db, delivery))?.recipients[0]
    return linkWords(reader === undefined ? null : await localeOf(db, reader), request.headers.get("accept-language"))
  }
  const path = "/v1/acknowledge/:token"
  const answers = { 200: { description: "A page", contentType: "text/html" } }
  return {
    routes: [
      {
        method: "GET",
        path,
        access: "open",
        doc: { summary: "Show the button that acknowledges", tag: "Links in messages", answers },
        async handle(call) {
          const what = told(call)
          const words = await wordsFor(call, what)
          if (what === null) return deadLink(words)
          const { title, says, button } = words.acknowledge
          return linkPage(200, { words, title, says, forms: [{ button }] })
        },
      },
      {
        method: "POST",
        path,
        access: "open",
        doc: { summary: "Acknowledge what a message told of", tag: "Links in messages", answers },
        async handle(call) {
          const what = told(call)
          const { items, calledOff } = what === null ? NOTHING : await acknowledgeTold(db, what)
          if (items.length > 0) pubsub.publish(inboxNewsOf(items))
          tellOfEnds(telemetry, calledOff)
          const words = await wordsFor(call, what)
          if (items.length === 0) return deadLink(words)
          return linkPage(200, { words, ...words.acknowledge.done })
        },
      },
    ],
  }
}
