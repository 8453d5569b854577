/**
 * What NATS does to a hub that takes events from it. The functions are those of `src/ingest/jetstream-faults.test.ts`, which
 * runs them in short: they throw where something is lost or doubled, and what they measured has its bounds here.
 */
import { fullRedelivery, natsAmnesia, natsCrashLoop } from "../src/testing/jetstream-faults.ts"
import { fault } from "./fault.ts"

export const natsCrash = fault({
  number: 5,
  name: "NATS crash loop",
  short: { rounds: 4 },
  full: { rounds: 30 },
  injected: ({ rounds }) => `kill -9 of nats-server × ${rounds}, events by JetStream and over HTTP`,
  async run({ rounds }) {
    const { pubAcked, httpAccepted, httpP99Before, httpP99During, slowestResume, duplicates } =
      await natsCrashLoop(rounds)
    return [
      { what: "PubAcked", value: pubAcked, atLeast: rounds },
      { what: "lost", value: 0, atMost: 0 },
      { what: "over HTTP meanwhile", value: httpAccepted, atLeast: 1 },
      // What a quiet machine answers in 5 ms may take a few more while a server starts beside it.
      { what: "HTTP p99", value: httpP99During, unit: "ms", atMost: Math.max(2 * httpP99Before, 50) },
      { what: "consumes again", value: slowestResume, unit: "ms", atMost: 3_000 },
      { what: "came again", value: duplicates },
    ]
  },
})

export const natsWiped = fault({
  number: 6,
  name: "NATS amnesia",
  short: { events: 300 },
  full: { events: 5_000 },
  injected: ({ events }) => `nats-server starts anew on an empty store, ${events} events before and repeated after`,
  async run({ events }) {
    const { events: stored, healthyAfter } = await natsAmnesia(events)
    return [
      { what: "events", value: stored, atLeast: 2 * events + 1, atMost: 2 * events + 1 },
      { what: "healthy again", value: healthyAfter, unit: "ms", atMost: 10_000 },
    ]
  },
})

export const natsFlood = fault({
  number: 24,
  name: "everything redelivered",
  short: { messages: 20_000 },
  full: { messages: 200_000 },
  injected: ({ messages }) => `consumer set back to the start of ${messages} messages`,
  async run({ messages }) {
    const { firstPerSecond, againPerSecond, newEvents } = await fullRedelivery(messages)
    return [
      { what: "new events", value: newEvents, atMost: 0 },
      { what: "first reading per second", value: Math.round(firstPerSecond) },
      { what: "again per second", value: Math.round(againPerSecond), atLeast: 2_000 },
    ]
  },
})
