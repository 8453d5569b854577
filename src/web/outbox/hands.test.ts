import { expect, test } from "bun:test"
import type { Answer, Api } from "../shared/api.ts"
import { createHands, effectSaid } from "./hands.ts"

const hub = (answer: Answer) => {
  const asked: unknown[] = []
  const api: Api = {
    async call(method, path, body) {
      asked.push([method, path, body])
      return answer
    },
  }
  return { asked, hands: createHands(api, "dlv_1") }
}

test("what was said stands at once, and under it what the hub says in return and did", async () => {
  const { asked, hands } = hub({ kind: "ok", body: { what: "stop", effect: "done", said: "No more." } })
  let drawn = 0
  hands.watch(() => {
    drawn += 1
  })
  const under = hands.reply("STOP")
  expect(hands.said).toEqual([{ from: "reader", text: "STOP" }])
  await under
  expect(asked).toEqual([["POST", "admin/outbox/answers", { delivery_id: "dlv_1", answer: "reply", text: "STOP" }]])
  expect(hands.said.slice(1)).toEqual([
    { from: "hub", text: "No more." },
    { from: "note", text: effectSaid("stop", "done") },
  ])
  expect(drawn).toBe(4)
})

test("a refusal is said in the hub's words", async () => {
  const { hands } = hub({ kind: "failed", status: 409, detail: "a call cannot be answered so" })
  await hands.report("opened")
  expect(hands.said).toEqual([{ from: "trouble", text: "Not taken: a call cannot be answered so." }])
})

test("an unsubscribe link is pressed as a mail program does, wherever the hub says that it is", async () => {
  const { asked, hands } = hub({ kind: "ok", body: null })
  await hands.unsubscribe("https://hub.example.com/prefix/v1/unsubscribe/abc?scope=all")
  expect(asked).toEqual([["POST", "v1/unsubscribe/abc", undefined]])
  await hands.unsubscribe("https://example.com/elsewhere")
  expect(hands.said.map(({ from }) => from)).toEqual(["note", "trouble"])
})

test("each effect has words of its own, whatever was done twice", () => {
  const whats = ["stop", "start", "acknowledge", "reply", "receipt"]
  const all = whats.flatMap((what) => ["done", "known"].map((effect) => effectSaid(what, effect)))
  expect(new Set(all).size).toBe(10)
})
