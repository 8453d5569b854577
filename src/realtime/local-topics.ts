/** What is published, for those whom the server's native topics cannot reach: polls, and the older drawers. */
import type { NativeTopics } from "./fanout.ts"

export interface Listener {
  send(frame: string): void
}

export class LocalTopics implements NativeTopics {
  readonly #hearing = new Map<string, Set<Listener>>()

  subscribe(name: string, listener: Listener): void {
    const there = this.#hearing.get(name)
    if (there === undefined) this.#hearing.set(name, new Set([listener]))
    else there.add(listener)
  }

  unsubscribe(name: string, listener: Listener): void {
    const there = this.#hearing.get(name)
    there?.delete(listener)
    if (there?.size === 0) this.#hearing.delete(name)
  }

  publish(name: string, frame: string): void {
    for (const listener of this.#hearing.get(name) ?? []) listener.send(frame)
  }

  subscribers(name: string): number {
    return this.#hearing.get(name)?.size ?? 0
  }
}
