/**
 * What a silence is told as: an event of the source `hub`, which rules route like any other. All that it says stands in
 * the alarm's row, so whichever node tells it, and however often, it is the same event under the same key.
 */

import { HUB_SOURCE, type Severity } from "../domain/event.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Incoming } from "../store/events.ts"
import type { SilentSource } from "../store/silent-sources.ts"
import { contentHash } from "./content-hash.ts"

const iso = (at: number): string => new Date(at).toISOString()

/** `source.silent`. */
export const silentEvent = (silence: SilentSource): Incoming =>
  incoming(silence, "source.silent", "high", silence.noticedAt, {
    ...facts(silence),
    last_event_at: silence.lastEventAt === null ? null : iso(silence.lastEventAt),
    seen: silence.seen,
    silent_for: inWords(silence.noticedAt - silence.since),
  })

/** `source.resumed`. `resumedAt` is the row's. */
export const resumedEvent = (silence: SilentSource, resumedAt: number): Incoming =>
  incoming(silence, "source.resumed", "info", resumedAt, {
    ...facts(silence),
    resumed_at: iso(resumedAt),
    silent_seconds: Math.round((resumedAt - silence.since) / 1_000),
    silent_for: inWords(resumedAt - silence.since),
  })

const facts = ({ source, expected, since }: SilentSource): JsonObject => ({ source, expected, since: iso(since) })

function incoming(
  { key, business }: SilentSource,
  type: string,
  severity: Severity,
  occurredAt: number,
  payload: JsonObject,
): Incoming {
  return {
    event: {
      type,
      source: HUB_SOURCE,
      severity,
      business,
      location: null,
      occurredAt,
      idempotencyKey: `${type} ${key}`,
      correlationId: key,
      payload,
      extensions: {},
    },
    contentHash: contentHash(type, severity, null, payload),
    streams: [],
  }
}

/** `6 h 5 min`, `3 d 2 h`, `12 min`: short enough for a text message, and without words of any language. */
export function inWords(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000))
  const [d, h, m] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24, minutes % 60]
  if (d > 0) return h === 0 ? `${d} d` : `${d} d ${h} h`
  if (h > 0) return m === 0 ? `${h} h` : `${h} h ${m} min`
  return `${m} min`
}
