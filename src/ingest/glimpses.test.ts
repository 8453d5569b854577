import { expect, test } from "bun:test"
import type { BusinessId, EventId, LocationId } from "../domain/ids.ts"
import type { Incoming, Stored } from "../store/events.ts"
import { newEvent } from "../testing/builders.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { createGlimpses } from "./glimpses.ts"

const item = (business: string, location: string | null = null): Incoming => ({
  // Ids of this file are fine.
  event: newEvent({
    type: "t",
    source: "s",
    business: business as BusinessId,
    location: location as LocationId | null,
  }),
  contentHash: Buffer.alloc(32),
  streams: [],
})
const accepted = (id: string): Stored => ({ kind: "accepted", id: id as EventId, acceptedAt: 0, positions: [] })

test("a commit shows which of its events are new, and counts them by place", () => {
  const glimpses = createGlimpses(fakeClock())
  const items = [item("b1", "l1"), item("b1"), item("b1", "l1"), item("b2")]
  const news = glimpses(items, [accepted("a"), accepted("b"), { kind: "duplicate", id: "a" as EventId }, accepted("c")])
  expect(news).toMatchObject({
    kind: "events_passing",
    events: [{ id: "a", business_id: "b1", location_id: "l1" }, { id: "b" }, { id: "c", business_id: "b2" }],
    counts: [
      ["b1", "l1", 1],
      ["b1", null, 1],
      ["b2", null, 1],
    ],
  })
  expect(JSON.stringify(news)).not.toContain("payload")
  expect(glimpses(items.slice(0, 1), [{ kind: "duplicate", id: "a" as EventId }])).toBeNull()
})

test("of a flood two hundred a second are shown, and all are counted", async () => {
  const clock = fakeClock()
  const glimpses = createGlimpses(clock)
  let [shown, counted] = [0, 0]
  for (let commit = 0; commit < 100; commit++) {
    const many = Array.from({ length: 256 }, () => item("b1"))
    const news = glimpses(
      many,
      many.map((_, n) => accepted(`${commit}-${n}`)),
    )
    if (news?.kind !== "events_passing") throw new Error("no news")
    shown += news.events.length
    for (const [, , n] of news.counts) counted += n
    await clock.advance(50)
  }
  expect(counted).toBe(25_600)
  expect(shown).toBeGreaterThan(1_150)
  expect(shown).toBeLessThanOrEqual(1_200)
})
