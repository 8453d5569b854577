/**
 * The floor of whoever stores before it shows: each message is first an event with a place in its two streams, by the hub's own
 * statement in the hub's own group commit. It asks for no key, parses, checks and routes nothing, and sends what it was posted.
 */
import { resourceStream } from "../../src/domain/stream.ts"
import { createBatcher } from "../../src/store/batcher.ts"
import { openDatabase } from "../../src/store/database.ts"
import { type Incoming, insertEvents, type Stored } from "../../src/store/events.ts"
import { business, incoming, location } from "../../src/testing/builders.ts"
import { BATCH } from "../servers.ts"
import { servePlain } from "./plain.ts"

const db = openDatabase({ url: process.env["DATABASE_URL"] ?? "", applicationName: "bench" })

interface Posted {
  readonly event: Incoming
  readonly publish: () => void
}

const batcher = createBatcher<Posted, Stored>({
  ...BATCH,
  async run(posted) {
    const events = posted.map(({ event }) => event)
    const stored = await insertEvents(db, events, Date.now())
    for (const { publish } of posted) publish()
    return stored
  },
})

const b1 = business("b1")
/** Of what precedes the location in a topic. */
const PLACE = "resources:b1-".length
const { event: plain, contentHash } = incoming()

servePlain(async (topic, frames, server) => {
  const streams = [resourceStream(b1, location(topic.slice(PLACE))), resourceStream(b1, null)]
  await Promise.all(
    frames.map((frame) => {
      const event = { ...plain, business: b1, idempotencyKey: null, payload: { frame } }
      return batcher.submit({ event: { event, contentHash, streams }, publish: () => server.publish(topic, frame) })
    }),
  )
})
