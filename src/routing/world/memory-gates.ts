/** Gates that are kept in memory, for rules that are only tried. */
import type { GateState, Gates } from "../../domain/gates.ts"

export class MemoryGates implements Gates {
  readonly #states = new Map<string, GateState>()

  get(key: string): GateState | null {
    return this.#states.get(key) ?? null
  }

  set(key: string, state: GateState | null): void {
    if (state === null) this.#states.delete(key)
    else this.#states.set(key, state)
  }
}
