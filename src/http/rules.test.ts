import { expect, test } from "bun:test"
import { startFront } from "../testing/front.ts"
import { hubEvent } from "../testing/rule-fixtures.ts"
import { rulesRoutes } from "./rules.ts"

test("an explanation that many ask for at once is put off, so that routing keeps its turns", async () => {
  const gate = Promise.withResolvers<void>()
  const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let calls = 0
  const front = await startFront(() => [
    rulesRoutes({
      running: () => ({}),
      read: () => hubEvent(),
      recorded: async () => null,
      explain: async () => {
        begun[calls]?.resolve()
        calls += 1
        await gate.promise
        return { rules: [] }
      },
    }),
  ])
  const ask = () => front.call("/v1/rules/explain", { json: { event: { type: "a", source: "b" } } })
  const first = [ask(), ask()]
  await Promise.all(begun.map(({ promise }) => promise))
  const third = await ask()
  expect([third.status, third.headers.get("retry-after")]).toEqual([503, "2"])
  gate.resolve()
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200])
  expect((await ask()).status).toBe(200)
  await front.stop()
})
