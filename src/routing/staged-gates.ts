/** What one decision does to the gates, kept apart until the whole of it is sound. */
import type { Gates } from "../domain/gates.ts"
import { eachInSlices, LIGHT, type Sliced } from "./slices.ts"

/** Gates that keep what was set to themselves, until they are told to hand it on. */
export class StagedGates implements Gates {
  readonly #under: Gates
  readonly #set = new Map<string, Parameters<Gates["set"]>>()

  constructor(under: Gates) {
    this.#under = under
  }

  get(key: string): ReturnType<Gates["get"]> {
    const staged = this.#set.get(key)
    return staged === undefined ? this.#under.get(key) : staged[1]
  }

  set(...state: Parameters<Gates["set"]>): void {
    this.#set.set(state[0], state)
  }

  handOn(): Sliced<void> {
    return eachInSlices(this.#set.values(), (state) => this.#under.set(...state), LIGHT)
  }
}
