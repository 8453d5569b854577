/** `resources:…`: what happens at a place, to everyone whose tenancy names it. */
import type { Presence } from "./presence.ts"
import { recoverFrom } from "./recovery.ts"
import { resolveResourceTopic } from "./resource-view.ts"
import type { TopicFamily } from "./topic.ts"
import type { Topics } from "./topics.ts"

const refused = (reason: string) => ({ kind: "refused", response: { reason } }) as const

export const resourcesTopic = (topics: Topics, presence: Presence): TopicFamily => ({
  name: "resources",
  prefix: "resources:",
  join(request) {
    const resolved = resolveResourceTopic(request.principal.tenancy, request.topic)
    if (resolved.kind !== "view") return refused(resolved.kind)
    const recover = recoverFrom(request.payload)
    if (recover === "invalid") return refused("invalid_recover")
    const { view, form } = resolved
    return presence.join(request, view, form, () => topics.enter(request, view, form, recover))
  },
  push: presence.push,
})
