/**
 * `notifications:{recipient}`: a person's own notifications and counts; nobody else's, whatever their role. A person of
 * several businesses is shown those that their token names, as by `GET /v1/notifications`.
 */
import type { BusinessId, RecipientId } from "../domain/ids.ts"
import { confinedTo } from "../domain/principal.ts"
import { notificationStream } from "../domain/stream.ts"
import { spelling, type TopicView } from "./fanout.ts"
import { inboxPush, type MarkInbox } from "./inbox-pushes.ts"
import type { Presence } from "./presence.ts"
import { recoverFrom } from "./recovery.ts"
import type { TopicClient, TopicFamily } from "./topic.ts"
import type { Topics } from "./topics.ts"

const refused = (reason: string) => ({ kind: "refused", response: { reason } }) as const

/** `tellCounts` sends the person's counts to the one socket that has just joined. */
export const notificationsTopic = (
  topics: Topics,
  presence: Presence,
  markInbox: MarkInbox | null,
  tellCounts: (recipient: RecipientId, view: TopicView, client: TopicClient) => void,
): TopicFamily => ({
  name: "notifications",
  prefix: "notifications:",
  async join(request) {
    const { recipient } = request.principal
    if (recipient === null || request.topic !== `notifications:${recipient}`) return refused("unauthorized")
    const recover = recoverFrom(request.payload)
    if (recover === "invalid") return refused("invalid_recover")
    const view = notificationsView(recipient, confinedTo(request.principal.tenancy))
    const outcome = await presence.join(request, view, "whole", () => topics.enter(request, view, "whole", recover))
    if (outcome.kind === "joined") tellCounts(recipient, view, request.client)
    return outcome
  },
  push: (push) => {
    const known = presence.push(push)
    return known !== "unknown" || markInbox === null ? known : inboxPush(push, markInbox)
  },
})

function notificationsView(recipient: RecipientId, businesses: readonly BusinessId[] | null): TopicView {
  const stream = notificationStream(recipient)
  const own = businesses === null ? null : [...new Set(businesses)].sort()
  // Neither a recipient's id nor a business's holds a blank or a comma.
  const id = own === null ? stream : `${stream} in ${own.join(",")}`
  return {
    id,
    family: "notifications",
    streams: [stream],
    businesses: own,
    spellings: [spelling(id, "whole", stream)],
    // A recipient's id may be an e-mail address, which belongs on no screen and in no log.
    actor: `topic notifications:#${Bun.hash(id).toString(36)}`,
  }
}
