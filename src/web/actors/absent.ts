/**
 * A supervisor that is down has no children to tell of. The page remembers who they were and draws them in their places,
 * as down with it, so that the tree does not collapse and unfold while somebody is looking for the fault.
 */
import type { Actor, Picture } from "./picture.ts"

export class Absent {
  /** Supervisor → the children it was last seen running with. */
  #children = new Map<string, readonly Actor[]>()

  /** The picture with everybody in it who will come back. */
  fill(picture: Picture): Picture {
    const next = new Map<string, readonly Actor[]>()
    const tree = this.#fill(picture.tree, next)
    this.#children = next
    return { ...picture, tree }
  }

  #fill(actor: Actor, next: Map<string, readonly Actor[]>): Actor {
    if (actor.type !== "supervisor") return actor
    const present = (actor.children ?? []).map((child) => this.#fill(child, next))
    const before = this.#children.get(actor.id)
    if (actor.state === "running" || before === undefined) {
      next.set(actor.id, present)
      return { ...actor, children: present }
    }
    const found = new Map(present.map((child) => [child.id, child]))
    const children = before.map((child) => found.get(child.id) ?? this.#away(child, next))
    next.set(actor.id, children)
    return { ...actor, children, childrenCount: Math.max(actor.childrenCount, children.length) }
  }

  #away(actor: Actor, next: Map<string, readonly Actor[]>): Actor {
    const children = actor.children?.map((child) => this.#away(child, next)) ?? null
    if (actor.type === "supervisor" && children !== null) next.set(actor.id, children)
    const mailbox = actor.mailbox === null ? null : { ...actor.mailbox, depth: 0 }
    return { ...actor, children, mailbox, state: "stopped", handlerAgeMs: null, away: true }
  }
}
