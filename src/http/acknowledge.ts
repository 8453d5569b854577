/** The link by which whoever was told says "I have it", without a login: a GET shows the button, the POST acknowledges. */
import type { LinkTokens } from "../domain/link-token.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Database } from "../store/database.ts"
import { acknowledgeTold } from "../store/notifications.ts"
import { inboxNewsOf } from "./inbox-news.ts"
import { deadLink, linkPage } from "./link-page.ts"
import type { Call, RouteFile } from "./route.ts"

export interface AcknowledgeDeps {
  readonly db: Database
  readonly pubsub: PubSub
  readonly links: Pick<LinkTokens, "readAcknowledge">
}

export function acknowledgeRoutes({ db, pubsub, links }: AcknowledgeDeps): RouteFile {
  const told = ({ params }: Call) => links.readAcknowledge(params["token"] ?? "")
  const path = "/v1/acknowledge/:token"
  const answers = { 200: { description: "A page", contentType: "text/html" } }
  return {
    routes: [
      {
        method: "GET",
        path,
        access: "open",
        doc: { summary: "Show the button that acknowledges", tag: "Links in messages", answers },
        handle: (call) =>
          told(call) === null
            ? deadLink()
            : linkPage(200, {
                title: "Acknowledge",
                says: "Say that you have taken it up: nobody else is told again then.",
                forms: [{ button: "I have it" }],
              }),
      },
      {
        method: "POST",
        path,
        access: "open",
        doc: { summary: "Acknowledge what a message told of", tag: "Links in messages", answers },
        async handle(call) {
          const what = told(call)
          const items = what === null ? [] : await acknowledgeTold(db, what)
          if (items.length === 0) return deadLink()
          pubsub.publish(inboxNewsOf(items))
          return linkPage(200, { title: "Acknowledged", says: "Everybody who was told sees that it is taken care of." })
        },
      },
    ],
  }
}
