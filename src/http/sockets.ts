/** `POST /admin/sockets/kick`: a person's sockets are closed on every node, and it is in the audit log. */
import { asRecipientId, type BusinessId, type RecipientId } from "../domain/ids.ts"
import { isJsonObject } from "../domain/json.ts"
import { actorOf, confinedTo } from "../domain/principal.ts"
import { appendAudit } from "../store/audit.ts"
import type { Database } from "../store/database.ts"
import { readJson } from "./body.ts"
import { invalid } from "./problem.ts"
import { json, type RouteFile } from "./route.ts"

export interface SocketsDeps {
  readonly db: Database
  /** Closes them everywhere; how many there are on this node. */
  readonly kick: (kick: {
    readonly recipient: RecipientId
    readonly businesses: readonly BusinessId[] | null
  }) => number
}

export const socketsRoutes = ({ db, kick }: SocketsDeps): RouteFile => ({
  routes: [
    {
      method: "POST",
      path: "/admin/sockets/kick",
      access: "operator",
      doc: {
        summary: "Close a person's sockets",
        tag: "Operations",
        description:
          "On every node, with close code 1001. Clients come back by themselves with the token that they then have, so " +
          "take the token away first from whoever is to stay out. Who is confined to businesses closes the sockets that " +
          "came with a token of one of them.",
        body: {
          "application/json": {
            schema: { type: "object", required: ["recipient_id"], properties: { recipient_id: { type: "string" } } },
            example: { recipient_id: "user-7" },
          },
        },
        answers: {
          202: {
            description: "It is in the audit log, and every node was told; `closed_here`: how many this one had",
            schema: {
              type: "object",
              required: ["recipient_id", "closed_here", "audit"],
              properties: {
                recipient_id: { type: "string" },
                closed_here: { type: "integer" },
                audit: { type: "integer" },
              },
            },
          },
        },
      },
      async handle({ request, principal }) {
        const body = await readJson(request)
        if ("kind" in body) return body
        const recipient = asRecipientId(isJsonObject(body.value) ? body.value["recipient_id"] : null)
        if (recipient === null) return invalid([{ pointer: "/recipient_id", detail: "expected a recipient's id" }])
        const businesses = confinedTo(principal.tenancy)
        const audit = await appendAudit(db, {
          actor: actorOf(principal),
          action: "sockets.kick",
          businesses,
          key: null,
          detail: { recipient_id: recipient },
        })
        return json(202, { recipient_id: recipient, closed_here: kick({ recipient, businesses }), audit })
      },
    },
  ],
})
