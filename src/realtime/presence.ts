/**
 * Presence: who else is on a topic, for those who joined it with `{"presence": {…meta}}`, on all nodes. What topics'
 * families ask of it, and its actor: if that ends, the topics of those present end with `phx_error`, and they come back.
 */
import type { JsonObject } from "../domain/json.ts"
import { actor } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Form, TopicView } from "./fanout.ts"
import { Desk, type DeskDeps, type DeskMessage } from "./presence-desk.ts"
import { metaFrom, presenceFrom } from "./presence-meta.ts"
import { Roster } from "./presence-roster.ts"
import type { ClientPush, JoinOutcome, JoinRequest, PushOutcome } from "./topic.ts"

export interface PresenceDeps extends DeskDeps {
  /** Tells this process from the others. Default: random. */
  readonly node?: string
}

export interface Presence {
  readonly child: ChildSpec
  /** Lets a socket in by `enter`, and makes it present where its join asks for that. */
  join(
    request: JoinRequest,
    view: TopicView,
    form: Form,
    enter: () => Promise<JoinOutcome>,
  ): JoinOutcome | Promise<JoinOutcome>
  /** `presence_update`: another meta. `unknown` for every other event. */
  push(push: ClientPush): PushOutcome | "unknown"
}

const MOST_HEARD = 10_000

const refused = (reason: string) => ({ kind: "refused", response: { reason } }) as const
const answer = (status: "ok" | "error", response: JsonObject) => ({ kind: "reply", status, response }) as const

export function createPresence(deps: PresenceDeps): Presence {
  const node = deps.node ?? crypto.randomUUID().replaceAll("-", "").slice(0, 12)
  let desk: Desk | null = null
  /** Of all starts: an incarnation is counted anew where the room is. */
  let lives = 0
  return {
    join(request, view, form, enter) {
      const meta = presenceFrom(request.payload)
      if (meta === null) return enter()
      if (meta === "invalid") return refused("invalid_presence")
      if (desk === null) return refused("unavailable")
      const giveBack = desk.holdRoom(view, meta)
      if (giveBack === null) return refused("presence_full")
      const entered = enter().finally(giveBack)
      return entered.then((outcome) => {
        if (outcome.kind !== "joined") return outcome
        if (desk === null) request.client.fail("unavailable")
        else desk.enter(request, view, form, meta)
        return outcome
      })
    },
    push({ event, payload, client }) {
      if (event !== "presence_update") return "unknown"
      const meta = metaFrom(payload)
      if (meta === "invalid") return answer("error", { reason: "invalid_presence" })
      const done = desk?.update(client, meta) ?? "not_present"
      if (done === "ok") return answer("ok", {})
      return answer("error", { reason: done === "full" ? "presence_full" : done })
    },
    child: actor<DeskMessage>({
      id: "presence",
      mailbox: { bound: MOST_HEARD, overflow: "drop_newest" }, // what is dropped is a gap, which the next beat shows
      // What it does wrong must not end anybody's topic but those of who is present.
      backoff: {},
      start(ctx) {
        // Of a life that ended without a word.
        desk?.abandon()
        const fresh = new Desk(deps, ctx, new Roster(node, ++lives))
        desk = fresh
        return {
          handle: (message) => fresh.handle(message),
          terminate() {
            if (desk === fresh) desk = null
            fresh.close()
            // At a stop of the hub the sockets are gone already; else an operator restarts it, or it crashed.
            fresh.abandon()
          },
        }
      },
    }),
  }
}
