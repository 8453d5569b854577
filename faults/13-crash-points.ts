/** A hub that dies at each of the places where something is half done, one after the other, under load. */
import { join } from "node:path"
import { upsertRecipients } from "../src/store/recipients.ts"
import { business, recipient } from "../src/testing/builders.ts"
import { marginCall } from "../src/testing/margin-call.ts"
import { startOpenLoop } from "../src/testing/open-loop.ts"
import { ruleFolders } from "../src/testing/rule-fixtures.ts"
import { CRASH_POINTS, type CrashPoint, gone } from "./crash-points.ts"
import { fault } from "./fault.ts"
import { endings, inWorld } from "./world.ts"

/** Sends that one hub has in flight on one channel (delivery's default). */
const IN_FLIGHT = 32
const ANSWER_MS = 50
const LEASE_MS = 2_000
const REACHED_MS = 30_000

const action = (more: string): string =>
  `{ type: notify, to: { users: [{ var: payload.trader_id }] }, channels: [telegram], template: call${more} }`
const RULES = {
  "rules/calls.yaml": `rules:
  - { name: now, event_type: MARGIN_CALL, actions: [${action("")}] }
  - { name: later, event_type: LATE_CALL, actions: [${action(", delay: 1s")}] }
`,
  "templates/call/default.eta": "---\ntitle: Margin call\n---\nAccount <%= it.payload.account_id %>",
}

export const crashPoints = fault({
  number: 13,
  name: "crash points",
  short: { each: 10, perSecond: 60 },
  full: { each: 1, perSecond: 100 },
  injected: ({ each, perSecond }) =>
    `the process ends at ${chosen(each).length} of ${CRASH_POINTS.length} places, one after the other, under ${perSecond} events/s`,
  run: ({ each, perSecond }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers } = world
      const folders = await ruleFolders(RULES)
      world.defer(() => folders.remove())
      let asked = 0
      providers.always("telegram", () => {
        asked += 1
        return asked % 30 === 0 ? { kind: "answer", status: 502 } : { kind: "wait", released: Bun.sleep(ANSWER_MS) }
      })
      const member = { business: business("desk"), locations: null, roles: [] }
      await upsertRecipients(world.db, [recipient("trader-7", { telegramChatId: "991", memberships: [member] })], null)
      const port = freePort()
      const start = (at: number) =>
        world.hub({
          port,
          // It may be over before it listens: there is work for it from its first moment.
          until: "rules_loaded",
          preloads: [join(import.meta.dirname, "crash-at.ts"), join(import.meta.dirname, "pace.ts")],
          settings: {
            HUB_RULES_DIR: folders.rulesDir,
            HUB_TEMPLATES_DIR: folders.templatesDir,
            CRASH_AT: String(at),
            CRASH_NTH: String(1 + Math.floor(Math.random() * 3)),
            PACE_LEASE_MS: String(LEASE_MS),
          },
        })
      const load = startOpenLoop({
        perSecond,
        url: () => `http://127.0.0.1:${port}`,
        event: (n) => ({
          key: `acc-${n}.`,
          body: { ...marginCall(n), type: n % 2 === 0 ? "LATE_CALL" : "MARGIN_CALL" },
        }),
      })
      const missed: string[] = []
      for (const point of chosen(each)) {
        const hub = await start(CRASH_POINTS.indexOf(point))
        if (point.stopping === true) {
          await load.more(perSecond / 4)
          hub.signal("SIGTERM")
        }
        const ended = await Promise.race([hub.exited, Bun.sleep(REACHED_MS).then(() => "not reached")])
        if (ended !== "SIGKILL") missed.push(point.name)
        hub.signal("SIGKILL")
        await hub.exited
      }
      if (missed.length > 0) console.error(`not reached: ${missed.join(", ")}`)
      const last = await start(-1)
      const figures = await world.judged(load, { again: chosen(each).length * IN_FLIGHT })
      return [
        { what: "places that are gone", value: gone().length, atMost: 0 },
        { what: "places reached", value: chosen(each).length - missed.length, atLeast: chosen(each).length },
        ...figures,
        await endings(world, [last]),
      ]
    }),
})

/** Every so many, from the middle of each piece. */
const chosen = (each: number): readonly CrashPoint[] => CRASH_POINTS.filter((_, n) => n % each === Math.floor(each / 2))

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
