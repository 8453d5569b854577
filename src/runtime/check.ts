// Specs are checked where they are written. OTP ignores options it does not know; a misspelt one here is an error,
// because a `shutdownMS` nobody reads is found out on the worst day.

import type { Backoff } from "./backoff.ts"
import { type RestartType, SpecError } from "./child-spec.ts"

export const RESTART_TYPES = ["permanent", "transient", "temporary"] as const

/** Has an id and a function under `start`, unless `needs` names another function field. */
export function checkName(
  spec: { readonly id: unknown; readonly start?: unknown; readonly child?: unknown },
  needs: "start" | "child" = "start",
): void {
  if (typeof spec.id !== "string" || spec.id === "") throw new SpecError(spec.id, "id", "a non-empty string", spec.id)
  if (typeof spec[needs] !== "function") throw new SpecError(spec.id, needs, "a function", spec[needs])
}

export function checkKeys(id: string, spec: object, known: Record<string, true>, field = "option"): void {
  if (typeof spec !== "object" || spec === null) throw new SpecError(id, field, "an object", spec)
  for (const key of Object.keys(spec)) {
    if (!Object.hasOwn(known, key)) throw new SpecError(id, field, `one of ${Object.keys(known).join(", ")}`, key)
  }
}

export function checkOneOf(id: string, field: string, got: string, allowed: readonly string[]): void {
  if (!allowed.includes(got)) throw new SpecError(id, field, `one of ${allowed.join(", ")}`, got)
}

export function checkWhole(id: string, field: string, got: number, least: number): void {
  if (!Number.isSafeInteger(got) || got < least) throw new SpecError(id, field, `a whole number from ${least}`, got)
}

/** Milliseconds: finite and at least `least`; undefined stands for the default. */
export function checkDuration(id: string, field: string, got: number | undefined, least: number): void {
  if (got === undefined) return
  if (!Number.isFinite(got) || got < least) throw new SpecError(id, field, `milliseconds from ${least}, finite`, got)
}

/** Only a child that is allowed to end can be significant. */
export function checkSignificant(id: string, significant: boolean | undefined, restart: RestartType): void {
  if (significant === undefined) return
  if (typeof significant !== "boolean") throw new SpecError(id, "significant", "true or false", significant)
  if (significant && restart === "permanent") {
    throw new SpecError(id, "significant", "false for a permanent child, which never ends for good", significant)
  }
}

const BACKOFF_OPTIONS: Record<keyof Backoff, true> = {
  minMs: true,
  maxMs: true,
  jitter: true,
  resetAfterMs: true,
  firstStart: true,
}

export function checkBackoff(id: string, backoff: Backoff | undefined): void {
  if (backoff === undefined) return
  checkKeys(id, backoff, BACKOFF_OPTIONS, "backoff")
  const { minMs = 200, maxMs = 30_000 } = backoff
  checkDuration(id, "backoff.minMs", minMs, 1)
  checkDuration(id, "backoff.maxMs", maxMs, minMs)
  checkDuration(id, "backoff.resetAfterMs", backoff.resetAfterMs, 0)
  const { jitter = 0, firstStart = "retry" } = backoff
  if (!(jitter >= 0 && jitter <= 1)) throw new SpecError(id, "backoff.jitter", "between 0 and 1", jitter)
  checkOneOf(id, "backoff.firstStart", firstStart, ["retry", "fail"])
}
