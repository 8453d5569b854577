import { expect, test } from "bun:test"
import { keepBacktest } from "../store/backtests.ts"
import { deleteRecipient, upsertRecipients } from "../store/recipients.ts"
import { recipient } from "../testing/builders.ts"
import { jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { backtestRoutes } from "./backtests.ts"

const PATH = "/v1/rules/backtests/last"

test("the last backtest is for operators of all businesses, and goes with anybody who is deleted", async () => {
  const front = await startFront(({ db }) => [backtestRoutes({ db })])
  try {
    expect((await front.call(PATH)).status).toBe(404)
    await keepBacktest(front.db, { rules: [], different: true })
    await keepBacktest(front.db, { rules: [], different: false })
    expect(await jsonOf<object>(front.call(PATH))).toEqual({
      finished_at: expect.stringMatching(/^\d{4}-.*Z$/),
      report: { rules: [], different: false },
    })
    const ofOne = await tokenFor({ sub: "boss", roles: ["admin"], tenants: [{ business: "b1" }] })
    expect((await front.call(PATH, { key: ofOne })).status).toBe(403)
    expect((await front.call(PATH, { key: SERVICE_KEY })).status).toBe(403)
    const ann = recipient("ann")
    await upsertRecipients(front.db, [ann], null)
    expect(await deleteRecipient(front.db, ann.id, null, "key:1")).toBe("deleted")
    expect((await front.call(PATH)).status).toBe(404)
  } finally {
    await front.stop()
  }
})
