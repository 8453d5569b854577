/** News lost, late or twice, answers of the database that come when they like, clients that come in between: each sees all, once, in order. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import { resourceStream } from "../domain/stream.ts"
import type { News } from "../pubsub/pubsub.ts"
import { MemoryStreams, RawClient, startRoom } from "../testing/realtime-room.ts"

const TOPIC = "resources:b1:l1"
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)

const BEFORE = 8
const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("push" as const),
        fate: fc.constantFrom("lost", "lost", "lost", "on time", "late", "twice"),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("join" as const),
        behind: fc.oneof(fc.constant(0), fc.integer({ min: -1, max: 14 })),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("answer" as const), which: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("turn" as const), ms: fc.constantFrom(0, 1, 60) }) },
  ),
  { minLength: 10, maxLength: 30 },
)

interface Reply {
  readonly status: string
  readonly response: {
    readonly offset: number
    readonly recovered?: boolean
    readonly missed?: readonly { readonly payload: { readonly _offset: number } }[]
  }
}

/** Joins at an offset (-1: at whatever there is) and reads until it has seen `head`; what it saw, in order. */
async function watch(client: RawClient, offset: number, head: Promise<number>): Promise<readonly number[]> {
  const recover = offset < 0 ? {} : { recover: { epoch: "e1", offset } }
  const { status, response } = (await client.join(TOPIC, recover)) as unknown as Reply
  expect(status).toBe("ok")
  expect(response.recovered ?? null).toBe(offset < 0 ? null : true)
  const from = offset < 0 ? response.offset : offset
  const seen = [from, ...(response.missed ?? []).map(({ payload }) => payload._offset)]
  expect(seen.at(-1)).toBe(response.offset)
  const last = await head
  while ((seen.at(-1) ?? 0) < last) seen.push(((await client.frame())[4] as { _offset: number })._offset)
  expect(await client.settled()).toEqual([])
  client.close()
  return seen
}

test("whatever is lost, late or overtaken, every client sees each position after its own, once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const streams = new MemoryStreams()
      const pending: (() => void)[] = []
      let open = false
      /** The answer is as of when it was asked, and comes when the test says so. */
      const held =
        <Args extends unknown[], Answer>(ask: (...args: Args) => Promise<Answer>) =>
        async (...args: Args): Promise<Answer> => {
          const answer = await ask(...args)
          if (!open) await new Promise<void>((resolve) => void pending.push(resolve))
          return answer
        }
      const room = await startRoom({
        heads: held(streams.heads),
        history: held(streams.history),
        tails: held(streams.tails),
      })
      const late: News[] = []
      const end = Promise.withResolvers<number>()
      const clients: { readonly seen: Promise<readonly number[]> }[] = []
      let head = 0
      // What was before this node began: it remembers none of it.
      for (; head < BEFORE; head++) streams.append(stream, { n: head + 1 })
      const push = (): News => {
        head += 1
        return streams.append(stream, { n: head })
      }
      for (const step of all) {
        switch (step.kind) {
          case "push": {
            const news = push()
            if (step.fate === "on time" || step.fate === "twice") room.publish([news])
            if (step.fate === "late" || step.fate === "twice") late.push(news)
            break
          }
          case "join": {
            const offset = step.behind < 0 ? -1 : Math.max(0, head - step.behind)
            const client = await RawClient.open(room.url())
            clients.push({ seen: watch(client, offset, end.promise) })
            await Bun.sleep(1)
            break
          }
          case "answer":
            pending.splice(step.which % Math.max(1, pending.length), 1)[0]?.()
            await Bun.sleep(0)
            break
          case "turn":
            room.publish(late.splice(0, 1))
            await Bun.sleep(step.ms)
        }
      }
      open = true
      for (const answer of pending.splice(0)) answer()
      room.publish(late)
      // Their joins are heard before the last message, which shows whatever gap there is.
      await Bun.sleep(5)
      room.publish([push()])
      end.resolve(head)
      for (const { seen } of clients) {
        const positions = await seen
        expect(positions).toEqual(positions.map((_, n) => (positions[0] ?? 0) + n))
        expect(positions.at(-1)).toBe(head)
      }
      await room.stop()
    }),
    { numRuns: 25 },
  )
}, 60_000)
