// Phoenix's own client under Bun; `stock-client.e2e.ts` has the same in a browser.
import { afterAll, beforeAll, describe, test } from "bun:test"
import { LongPoll, Presence, Socket } from "phoenix"
import { CHECKS, runCheck } from "../testing/stock-checks.ts"
import { type StockStage, startStockStage } from "../testing/stock-stage.ts"

let stage: StockStage
beforeAll(async () => {
  stage = await startStockStage()
})
afterAll(async () => {
  await stage.stop()
})

for (const way of ["websocket", "longpoll"] as const) {
  describe(`over ${way}`, () => {
    for (const { title, ways } of CHECKS) {
      if (!ways.includes(way)) continue
      test(title, () => runCheck({ client: { Socket, LongPoll, Presence }, ...stage }, title, way))
    }
  })
}
