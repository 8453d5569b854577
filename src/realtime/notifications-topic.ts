/** `notifications:{recipient}`: a person's own notifications and counts; nobody else's, whatever their role. */
import type { RecipientId } from "../domain/ids.ts"
import { notificationStream } from "../domain/stream.ts"
import { spelling, type TopicView } from "./fanout.ts"
import { recoverFrom } from "./recovery.ts"
import type { TopicClient, TopicFamily } from "./topic.ts"
import type { Topics } from "./topics.ts"

const refused = (reason: string) => ({ kind: "refused", response: { reason } }) as const

/** `tellCounts` sends the person's counts to the one socket that has just joined. */
export const notificationsTopic = (
  topics: Topics,
  tellCounts: (recipient: RecipientId, client: TopicClient) => void,
): TopicFamily => ({
  name: "notifications",
  prefix: "notifications:",
  async join(request) {
    const { recipient } = request.principal
    if (recipient === null || request.topic !== `notifications:${recipient}`) return refused("unauthorized")
    const recover = recoverFrom(request.payload)
    if (recover === "invalid") return refused("invalid_recover")
    const outcome = await topics.enter(request, notificationsView(recipient), "whole", recover)
    if (outcome.kind === "joined") tellCounts(recipient, request.client)
    return outcome
  },
})

export function notificationsView(recipient: RecipientId): TopicView {
  const stream = notificationStream(recipient)
  return {
    id: stream,
    family: "notifications",
    streams: [stream],
    spellings: [spelling(stream, "whole", stream)],
    // A recipient's id may be an e-mail address, which belongs on no screen and in no log.
    actor: `topic notifications:#${Bun.hash(stream).toString(36)}`,
  }
}
