import { heapStats } from "bun:jsc"
import { expect, test } from "bun:test"
import fc from "fast-check"
import { type Job, runtimeWorld, type WorkerOptions } from "../testing/runtime-world.ts"
import type { Overflow } from "./actor.ts"
import { Mailbox } from "./mailbox.ts"
import { supervisor } from "./supervisor.ts"

async function one(options: WorkerOptions = {}) {
  const world = runtimeWorld()
  const tree = await world.start(
    supervisor({ id: "root", strategy: "one_for_one", children: [world.worker("a", options), world.worker("b")] }),
  )
  world.since()
  return { world, tree, a: tree.ref<Job>("a") }
}

test("46: an actor handles one message at a time, in the order in which each sender sent them", async () => {
  const { world, tree, a } = await one()
  let inside = 0
  for (let at = 1; at <= 20; at++) {
    a.send(async () => {
      expect(++inside).toBe(1)
      if (at % 3 > 0) await Promise.resolve()
      world.log.push(String(at))
      inside--
    })
  }
  await world.clock.flush()
  expect(world.since()).toBe(Array.from({ length: 20 }, (_, at) => at + 1).join(" "))
  expect(tree.whereis("a")?.handled).toBe(20)
  await tree.stop()
})

test("46: a long row of messages does not keep timers and sockets from their turn", async () => {
  const { world, tree, a } = await one({ mailbox: { bound: 5_000, overflow: "reject" } })
  let handled = 0
  for (let at = 0; at < 5_000; at++) a.send(() => void handled++)
  await new Promise((resolve) => setImmediate(resolve))
  expect(handled).toBeGreaterThan(0)
  expect(handled).toBeLessThan(5_000)
  await world.clock.flush()
  expect(handled).toBe(5_000)
  await tree.stop()
})

test("47: a full mailbox follows its policy, and what was lost is counted", async () => {
  for (const [overflow, answers, handled] of [
    ["reject", "ok ok busy busy", "1 2"],
    ["drop_newest", "ok ok dropped dropped", "1 2"],
    ["drop_oldest", "ok ok ok ok", "3 4"],
  ] as const) {
    const { world, tree, a } = await one({ mailbox: { bound: 2, overflow } })
    const results = [1, 2, 3, 4].map((at) => a.send(() => void world.log.push(String(at))))
    expect(results.join(" ")).toBe(answers)
    expect(tree.whereis("a")?.mailbox).toEqual({ depth: 2, bound: 2, dropped: 2 })
    await world.clock.flush()
    expect(world.since()).toBe(handled)
    expect(tree.snapshot().deadLetters).toBe(2)
    expect(world.events.filter((event) => event.type === "dead_letters")).toMatchObject([{ why: "overflow", id: "a" }])
    await tree.stop()
  }
})

test("47: a call that finds the mailbox full, or is thrown out of it, rejects with Busy", async () => {
  for (const [overflow, outcomes] of [
    ["reject", ["first", "Busy"]],
    ["drop_newest", ["first", "Busy"]],
    ["drop_oldest", ["Busy", "second"]],
  ] as const) {
    const { world, tree, a } = await one({ mailbox: { bound: 1, overflow } })
    const calls = ["first", "second"].map((word) =>
      a.call<string>((reply) => () => reply(word), 1_000).catch((error: Error) => error.name),
    )
    await world.clock.flush()
    expect(await Promise.all(calls)).toEqual([...outcomes])
    await tree.stop()
    expect(world.clock.pending).toBe(0)
  }
})

test("47: a mailbox behaves as a bounded list, whatever is pushed and taken", () => {
  const policies: Overflow[] = ["reject", "drop_oldest", "drop_newest"]
  const step = fc.oneof(fc.record({ push: fc.integer() }), fc.constant("take" as const))
  fc.assert(
    fc.property(
      fc.constantFrom(...policies),
      fc.integer({ min: 1, max: 20 }),
      fc.array(step, { maxLength: 200 }),
      (overflow, bound, steps) => {
        const mailbox = new Mailbox<number>({ bound, overflow })
        const model: number[] = []
        for (const each of steps) {
          if (each === "take") {
            if (model.length > 0) expect(mailbox.take()).toBe(model.shift() ?? Number.NaN)
          } else {
            const full = model.length === bound
            if (full && overflow === "drop_oldest") model.shift()
            if (!full || overflow === "drop_oldest") model.push(each.push)
            mailbox.push(each.push, () => {})
          }
          expect(mailbox.depth).toBe(model.length)
        }
      },
    ),
  )
})

test("47: ticks and task outcomes are never lost to a full mailbox", async () => {
  const { world, tree, a } = await one({ mailbox: { bound: 1, overflow: "reject" } })
  const gate = Promise.withResolvers<void>()
  a.send((ctx) => {
    ctx.sendAfter(10, () => void world.log.push("tick"))
    ctx.task(
      async () => 7,
      (outcome) => () => void world.log.push(JSON.stringify(outcome)),
    )
    return gate.promise
  })
  await world.clock.flush()
  expect([a.send(() => void world.log.push("mail")), a.send(() => {})]).toEqual(["ok", "busy"])
  await world.clock.advance(10)
  gate.resolve()
  await world.clock.flush()
  expect(world.since()).toBe('{"kind":"done","value":7} tick mail')
  await tree.stop()
})

test("48: a call times out, and a reply after that reaches nobody", async () => {
  const { world, tree, a } = await one()
  const late: ((value: string) => void)[] = []
  const first = a.call<string>((reply) => () => void late.push(reply), 100).catch((error: Error) => error.name)
  await world.clock.advance(100)
  expect(await first).toBe("CallTimeout")
  const second = a.call<string>(
    (reply) => async () => {
      late[0]?.("for the first")
      reply("for the second")
    },
    100,
  )
  await world.clock.flush()
  expect(await second).toBe("for the second")
  await tree.stop()
  expect(world.clock.pending).toBe(0)
})

test("48: a call to nobody, and one whose target ends before it replies, reject with ActorDown at once", async () => {
  const { world, tree, a } = await one({ restart: "temporary" })
  const nobody = tree.ref<Job>("nobody").call<string>((reply) => () => reply("?"), 60_000)
  await expect(nobody).rejects.toMatchObject({ name: "ActorDown", id: "nobody" })
  const unanswered = a.call<string>(() => () => {}, 60_000).catch((error: Error) => error.name)
  await world.clock.flush()
  await world.crash(tree, "a")
  expect(await unanswered).toBe("ActorDown")
  expect(a.send(() => {})).toBe("down")
  await tree.stop()
})

test("49: at a crash the call in flight and the queued calls reject, and queued messages become dead letters", async () => {
  const { world, tree, a } = await one()
  const names: string[] = []
  const note = (error: Error) => void names.push(error.name)
  const inFlight = a.call<string>(
    () => async () => {
      await Promise.resolve()
      throw new Error("in the middle")
    },
    60_000,
  )
  const queued = a.call<string>((reply) => () => reply("never"), 60_000)
  a.send(() => void world.log.push("never"))
  a.send(() => void world.log.push("never"))
  await Promise.all([inFlight.catch(note), queued.catch(note), world.clock.flush()])
  expect(names).toEqual(["ActorDown", "ActorDown"])
  expect(world.since()).toBe("-a +a")
  expect(world.events).toContainEqual(
    expect.objectContaining({ type: "dead_letters", why: "exit", count: 3, incarnation: 1 }),
  )
  expect(tree.snapshot().deadLetters).toBe(3)
  await tree.stop()
  expect(world.clock.pending).toBe(0)
})

test("a ref by name reaches whoever has the name now; one taken before the actor exists works too", async () => {
  const { world, tree, a } = await one()
  await world.crash(tree, "a")
  expect(a.send((ctx) => void world.log.push(`incarnation ${ctx.incarnation}`))).toBe("ok")
  await world.clock.flush()
  expect(world.since()).toBe("-a +a incarnation 2")
  await tree.stop()
  expect(a.send(() => {})).toBe("down")
})
test("47: a flood of a million messages to a slow actor is refused and counted one by one, in no more memory", async () => {
  for (const overflow of ["reject", "drop_newest", "drop_oldest"] as const) {
    const { world, tree, a } = await one({ mailbox: { bound: 1_000, overflow } })
    const { promise: slow, resolve: settle } = Promise.withResolvers<void>()
    a.send(() => slow)
    await world.clock.flush()
    const answers = { ok: 0, busy: 0, dropped: 0, down: 0 }
    const flood = (count: number): void => {
      for (let sent = 0; sent < count; sent++) {
        const bytes = new Array(16).fill(sent)
        answers[a.send(() => void bytes.length)]++
      }
    }
    const kept = (): number => {
      Bun.gc(true)
      return heapStats().objectCount
    }
    flood(10_000)
    const before = kept()
    flood(1_000_000)
    expect(kept() - before).toBeLessThan(10_000)
    const lost = 1_010_000 - 1_000
    expect(answers).toEqual(
      {
        reject: { ok: 1_000, busy: lost, dropped: 0, down: 0 },
        drop_newest: { ok: 1_000, busy: 0, dropped: lost, down: 0 },
        drop_oldest: { ok: 1_010_000, busy: 0, dropped: 0, down: 0 },
      }[overflow],
    )
    expect(tree.whereis("a")?.mailbox).toEqual({ depth: 1_000, bound: 1_000, dropped: lost })
    expect(tree.snapshot().deadLetters).toBe(lost)
    settle()
    await tree.stop()
  }
}, 30_000)
