// Automatic shutdown, as supervisor.erl has it: a supervisor whose work is one job ends with the job. Only a significant
// child's own end for good counts; one that a sibling or an operator has stopped does not.

import { type ChildSpec, SpecError } from "./child-spec.ts"
import type { Slot } from "./slot.ts"

export type AutoShutdown = "never" | "any_significant" | "all_significant"

/** Shall the supervisor end, now that `ended` has ended by itself and is not restarted? */
export function endsSupervisor(mode: AutoShutdown, ended: Slot, siblings: Iterable<Slot>): boolean {
  if (!ended.spec.significant) return false
  switch (mode) {
    case "never":
      return false
    case "any_significant":
      return true
    case "all_significant":
      for (const slot of siblings) if (slot !== ended && slot.spec.significant && slot.isUp) return false
      return true
  }
}

/** Throws SpecError for a significant child of a supervisor that would never look at it. */
export function checkFits(child: ChildSpec, mode: AutoShutdown | "pool"): void {
  if (!child.significant) return
  if (mode === "never") throw new SpecError(child.id, "significant", "false where autoShutdown is never", true)
  if (mode === "pool") throw new SpecError(child.id, "significant", "false in a pool", true)
}
