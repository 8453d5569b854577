import { expect, test } from "bun:test"
import { fullRedelivery, natsAmnesia, natsCrashLoop } from "../testing/jetstream-faults.ts"

const FULL = process.env["FAULTS"] === "full"
const print = (what: string, figures: object) => console.log(`${what}: ${JSON.stringify(figures)}`)

test("nats-server killed in a loop: nothing acknowledged is lost, HTTP is untouched, reading goes on within seconds", async () => {
  const figures = await natsCrashLoop(FULL ? 30 : 4)
  print("NATS crash loop", figures)
  expect(figures.lost).toBe(0)
  // With slack for a machine that others use; the full run is held to the goal.
  expect(figures.slowestResume).toBeLessThan(FULL ? 3_000 : 10_000)
  if (FULL) expect(figures.httpP99During).toBeLessThan(Math.max(250, 2 * figures.httpP99Before))
}, 600_000)

test("nats-server with its store wiped: healthy within ten seconds, and what is repeated is no second event", async () => {
  const figures = await natsAmnesia(FULL ? 5_000 : 300)
  print("NATS amnesia", figures)
  expect(figures.healthyAfter).toBeLessThan(10_000)
}, 300_000)

test("the whole stream brought again makes not one new event", async () => {
  const figures = await fullRedelivery(FULL ? 200_000 : 20_000)
  print("full redelivery", figures)
  expect(figures.newEvents).toBe(0)
  if (FULL) expect(figures.againPerSecond).toBeGreaterThan(2_000)
}, 900_000)
