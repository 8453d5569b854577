import { expect, test } from "bun:test"
import { newEventId } from "../domain/ids.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { createSettling } from "./jetstream-settle.ts"
import type { RejectedInput } from "./rejections.ts"

/** Whose the row is that is kept of a message with this body. */
async function ownerOf(body: unknown): Promise<string | null> {
  const kept: RejectedInput[] = []
  const clock = fakeClock(new Date(Date.UTC(2026, 2, 2, 9)))
  const nothing = (): void => {}
  const message = {
    subject: "hub.events.x",
    data: new TextEncoder().encode(JSON.stringify(body)),
    headers: [],
    sequence: "7",
    place: "7:1",
    redelivered: false,
    ack: nothing,
    term: nothing,
    working: nothing,
    nak: nothing,
  }
  const settling = createSettling({
    accept: async (items) =>
      items.map(() => ({ kind: "accepted", id: newEventId(0), acceptedAt: 0, positions: [] }) as const),
    rejections: { keep: async (inputs) => void kept.push(...inputs) },
    clock,
    telemetry: { emit: nothing },
    limits: null,
  })
  settling.take([message])
  await settling.round()
  expect(kept).toHaveLength(1)
  return kept[0]?.business ?? null
}

const good = (business: string | undefined) => ({ type: "a", source: "b", business_id: business })
const bad = (business: string | undefined) => ({ type: "a", business_id: business })

test("a refused message is shown to the admins of its business, and to them alone if it holds no other's", async () => {
  expect(await ownerOf(bad("b1"))).toBe("b1")
  expect(await ownerOf([bad("b1"), bad("b1"), good("b1")])).toBe("b1")
  // The row shows the whole message: what was stored of it is another tenant's.
  expect(await ownerOf([bad("b1"), good("b2")])).toBeNull()
  expect(await ownerOf([bad("b1"), bad("b2")])).toBeNull()
  expect(await ownerOf([bad("b1"), good(undefined)])).toBeNull()
})
