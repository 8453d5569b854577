/** What is for many is worked on in slices, with turns of the loop for others between them; what is for few waits for nobody. */
import { expect, test } from "bun:test"
import { newIdsAt } from "../domain/ids.ts"
import type { News } from "../pubsub/pubsub.ts"
import { NO_CONSEQUENCES, type StoredConsequences } from "../store/consequences.ts"
import { eachInTurns } from "../store/pieces.ts"
import { recipient } from "../testing/builders.ts"
import { hubEvent, ruleSetOf } from "../testing/rule-fixtures.ts"
import { tellOf } from "./consequence-news.ts"
import { decideBatch, NO_GATES } from "./decide-batch.ts"

const RULES = `
rules:
  - name: everybody
    event_type: test.everybody
    actions:
      - { type: notify, to: { everyone: true }, channels: [inapp], template: words }
`
const FILES = { "rules/a.yaml": RULES, "templates/words/default.eta": "---\ntitle: News\n---\nAll staff." }

async function decidedFor(count: number) {
  let breaths = 0
  const recipients = Array.from({ length: count }, (_, n) => recipient(`p${n}`))
  const [plan] = await decideBatch(
    await ruleSetOf(FILES),
    [hubEvent({ type: "test.everybody" })],
    {
      audience: async () => [{ recipients, outsiders: new Set(), preferences: new Map() }],
      inhibitors: async () => [],
      gates: async () => NO_GATES,
    },
    {
      settings: { publicUrl: "https://hub.example", defaultSlack: false },
      ids: newIdsAt(Date.now()),
      onBug: (error) => {
        throw error
      },
      breathe() {
        breaths += 1
        return Promise.resolve()
      },
    },
  )
  return { notifications: plan?.notifications ?? [], breaths }
}

/** Counts the turns of the loop until it is ended. */
function turnsOfTheLoop() {
  const turns = {
    now: 0,
    ended: false,
    count: (): void => {
      turns.now += 1
      if (!turns.ended) setImmediate(turns.count)
    },
  }
  setImmediate(turns.count)
  return turns
}

test("of an event that is for many, though for no crowd, others have their turns before all is decided", async () => {
  const few = await decidedFor(100)
  expect(few.notifications).toHaveLength(100)
  expect(few.breaths).toBe(0)
  const many = await decidedFor(1_000)
  expect(many.notifications).toHaveLength(1_000)
  // Begun with, given addresses, given words: four breaths each, at least.
  expect(many.breaths).toBeGreaterThanOrEqual(12)
})

test("open screens are told in pieces, a turn apart, and of what is for few in one", async () => {
  const { notifications } = await decidedFor(5_000)
  const marks = { createdAt: 0, readAt: null, seenAt: null, archivedAt: null, acknowledgedAt: null, position: 1 }
  const stored = (count: number): StoredConsequences => ({
    ...NO_CONSEQUENCES,
    notifications: notifications.slice(0, count).map((one) => ({ ...one, ...marks })),
    due: ["sms"],
  })
  const heard: { readonly turn: number; readonly news: number }[] = []
  const turns = turnsOfTheLoop()
  const publish = (news: readonly News[]): void => void heard.push({ turn: turns.now, news: news.length })
  await tellOf({ publish }, stored(1_000))
  expect(heard.splice(0).map(({ news }) => news)).toEqual([2_001])
  await tellOf({ publish }, stored(5_000), [{ kind: "events_accepted", count: 1, toRoute: 1 }])
  turns.ended = true
  // Each has a message and counts; what is due, and what else is said, comes last.
  expect(heard.map(({ news }) => news)).toEqual([4_000, 4_000, 2_000, 2])
  expect(new Set(heard.map(({ turn }) => turn)).size).toBe(4)
})

test("of what is stored one piece is worked on in a turn, and what is short is done at once", async () => {
  let sum = 0
  const add = (n: number): void => {
    sum += n
  }
  expect(eachInTurns([1, 2, 3], add)).toBeNull()
  expect(sum).toBe(6)
  const perTurn = new Map<number, number>()
  const turns = turnsOfTheLoop()
  await eachInTurns(Array.from({ length: 4_500 }), () => perTurn.set(turns.now, (perTurn.get(turns.now) ?? 0) + 1))
  turns.ended = true
  expect([...perTurn.values()]).toEqual([2_000, 2_000, 500])
})
