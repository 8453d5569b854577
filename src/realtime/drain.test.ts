import { expect, test } from "bun:test"
import { fakeClock } from "../testing/fake-clock.ts"
import { RawClient, startRoom } from "../testing/realtime-room.ts"
import { type Drained, drainSockets } from "./drain.ts"

/** Sockets that note when and how they were closed; they are gone a moment later unless they are `deaf`. */
function sockets(count: number, clock: { now(): number }, deaf = (_: number) => false) {
  const closes: { readonly at: number; readonly code: number; readonly reason: string }[] = []
  const left = new Set<Drained>()
  let cut = 0
  let gone: () => void = () => {}
  for (let n = 0; n < count; n++) {
    const leave = (): void => {
      left.delete(one)
      if (left.size === 0) gone()
    }
    const one: Drained = {
      close(code, reason) {
        closes.push({ at: clock.now(), code, reason })
        if (!deaf(n)) leave()
      },
      cut() {
        cut += 1
        leave()
      },
    }
    left.add(one)
  }
  return { closes, left, cut: () => cut, onGone: (run: () => void) => (gone = run) }
}

test("many sockets are closed over three seconds in even shares, each told 1012 and when to come back", async () => {
  const clock = fakeClock()
  const { closes, left, onGone } = sockets(3_000, clock)
  const { done, emptied } = drainSockets({
    all: left,
    left: () => left,
    drainMs: 3_000,
    clock,
    random: Math.random,
  })
  onGone(emptied)
  await clock.advance(2_800)
  expect(left.size).toBeGreaterThan(0)
  await clock.advance(200)
  await done
  const shares = Map.groupBy(closes, ({ at }) => at)
  expect(shares.size).toBe(30)
  expect(Math.max(...[...shares.values()].map((share) => share.length))).toBe(100)
  expect(new Set(closes.map(({ code }) => code))).toEqual(new Set([1012]))
  const hints = closes.map(({ reason }) => Number(/^restarting; retry_after_ms=(\d+)$/.exec(reason)?.[1]))
  expect(hints.every((ms) => ms >= 0 && ms <= 1_000)).toBe(true)
  expect(new Set(hints).size).toBeGreaterThan(500)
  expect(clock.pending).toBe(0)
})

test("who does not answer the close is cut a second after the last", async () => {
  const clock = fakeClock()
  const { left, cut, onGone } = sockets(10, clock, (n) => n === 3)
  const { done, emptied } = drainSockets({ all: left, left: () => left, drainMs: 3_000, clock, random: () => 0 })
  onGone(emptied)
  await clock.advance(999)
  expect([left.size, cut()]).toEqual([1, 0])
  await clock.advance(1)
  await done
  expect([left.size, cut()]).toEqual([0, 1])
})

test("a loop that is late tells everybody all the same, and nobody is cut for it", async () => {
  const clock = fakeClock()
  const late = { ...clock, after: (ms: number, run: () => void) => clock.after(ms + 450, run) }
  const { closes, left, cut, onGone } = sockets(3_000, clock)
  const { done, emptied } = drainSockets({ all: left, left: () => left, drainMs: 3_000, clock: late, random: () => 0 })
  onGone(emptied)
  await clock.advance(3_500)
  await done
  expect([closes.length, left.size, cut()]).toEqual([3_000, 0, 0])
})

test("a room with four hundred real sockets closes them one share after the other", async () => {
  const room = await startRoom({ limits: { drainMs: 1_000 } })
  const clients = await Promise.all(Array.from({ length: 400 }, () => RawClient.open(room.url())))
  const began = performance.now()
  const times: number[] = []
  const codes = clients.map(async ({ closed }) => {
    const code = await closed
    times.push(performance.now() - began)
    return code
  })
  await room.realtime.drain()
  expect(new Set(await Promise.all(codes))).toEqual(new Set([1012]))
  // Ten shares, the last of them 0.9 s after the first; how even they are is shown by the clock that cannot be late.
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(700)
  await room.stop()
})
