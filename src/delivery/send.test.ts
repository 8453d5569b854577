import { expect, test } from "bun:test"
import type { ChannelWorker } from "../channels/channel.ts"
import type { Outcome } from "../domain/delivery.ts"
import { newDeliveryId } from "../domain/ids.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { heldDelivery } from "../testing/seed-deliveries.ts"
import { attemptDeadlines, Cut, sendOnce } from "./send.ts"

const claimed = heldDelivery(newDeliveryId(0))
const never = new Cut()

const worker = (send: ChannelWorker["send"]): ChannelWorker => ({ channel: "sms", send })

test("a channel that keeps no deadline is given up, as of unknown end", async () => {
  const clock = fakeClock()
  const { promise: forever } = Promise.withResolvers<Outcome>()
  let aborted = false
  const sent = sendOnce(
    claimed,
    worker(({ signal }) => {
      signal.addEventListener("abort", () => {
        aborted = true
      })
      return forever
    }),
    { clock, cut: never, inTime: attemptDeadlines(clock) },
  )
  await clock.advance(16_000)
  expect(aborted).toBe(true)
  await clock.advance(500)
  expect(await sent).toMatchObject({ outcome: { kind: "unknown", reason: "no_answer_of_channel" }, bug: null })
  expect(clock.pending).toBe(0)
})

test("an aborted channel still says what it saw", async () => {
  const clock = fakeClock()
  const cut = new Cut()
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const sent = sendOnce(
    claimed,
    worker(() => promise),
    { clock, cut, inTime: attemptDeadlines(clock) },
  )
  cut.make()
  resolve({ kind: "delivered", providerMessageId: "42" })
  expect(await sent).toMatchObject({ outcome: { kind: "delivered", providerMessageId: "42" } })
  // The deadline's timer is shared with other tries, and rings once.
  await clock.advance(16_000)
  expect(clock.pending).toBe(0)
})

test("whatever a channel throws, at once or later, is an unknown end and a bug to report", async () => {
  const bug = new Error("oops")
  const atOnce = worker(() => {
    throw bug
  })
  const later = worker(() => Promise.reject(bug))
  for (const broken of [atOnce, later]) {
    const clock = fakeClock()
    const sent = await sendOnce(claimed, broken, { clock, cut: never, inTime: attemptDeadlines(clock) })
    expect(sent).toMatchObject({ outcome: { kind: "unknown", reason: "channel_crashed" } })
    expect(sent.bug).toBe(bug)
  }
})
