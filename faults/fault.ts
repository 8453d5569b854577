/**
 * What a fault is: something done to a running hub, the figures that came of it and the bounds they must keep. One
 * definition has a short form, which is a test of every run, and a full one for `npm run faults`.
 */
import type { Mutant } from "./mutants.ts"

/** One measured value. At least one bound, or it only informs. */
export interface Figure {
  readonly what: string
  readonly value: number
  readonly unit?: "ms"
  readonly atMost?: number
  readonly atLeast?: number
}

export interface Definition<Size> {
  /** In the catalogue (`README.md`). */
  readonly number: number
  readonly name: string
  readonly short: Size
  readonly full: Size
  /** What is done to the hub, in one line. */
  injected(size: Size): string
  /** Why it cannot be shown on this machine, if it cannot. */
  missing?(): string | null
  /** Does it to a hub, one that has the mutant's bug where a mutant is given. */
  run(size: Size, mutant: Mutant | null): Promise<readonly Figure[]>
}

export type Form = "short" | "full"

export interface Fault {
  readonly number: number
  readonly name: string
  injected(form: Form): string
  missing(): string | null
  run(form: Form, mutant?: Mutant): Promise<readonly Figure[]>
}

export const fault = <Size>(of: Definition<Size>): Fault => ({
  number: of.number,
  name: of.name,
  injected: (form) => of.injected(of[form]),
  missing: () => of.missing?.() ?? null,
  run: (form, mutant) => of.run(of[form], mutant ?? null),
})

export const kept = ({ value, atMost, atLeast }: Figure): boolean =>
  (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast)

/** `lost 0 (≤ 0)` */
export function inWords({ what, value, unit, atMost, atLeast }: Figure): string {
  const bounds = [
    ...(atLeast === undefined ? [] : [`≥ ${atLeast}`]),
    ...(atMost === undefined ? [] : [atMost === 0 ? "= 0" : `≤ ${atMost}`]),
  ]
  const bound = bounds.length === 0 ? "" : ` (${bounds.join(", ")})`
  return `${what} ${Number.isInteger(value) ? value : value.toFixed(1)}${unit === undefined ? "" : ` ${unit}`}${bound}`
}

/** The value below which `share` of them lie; 0 where there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}
