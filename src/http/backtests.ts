/** What the last backtest of the rules found. It is run by `hub rules backtest`, where the revisions are. */
import type { JsonObject } from "../domain/json.ts"
import { confinedTo } from "../domain/principal.ts"
import { type KeptBacktest, lastBacktest } from "../store/backtests.ts"
import type { Database } from "../store/database.ts"
import { problem } from "./problem.ts"
import { json, type RouteFile } from "./route.ts"

export function backtestRoutes({ db }: { readonly db: Database }): RouteFile {
  return {
    routes: [
      {
        method: "GET",
        path: "/v1/rules/backtests/last",
        access: "operator",
        doc: {
          summary: "The last backtest of the rules",
          tag: "Rules",
          description:
            "What `hub rules backtest` found when it was last run against this hub's database. For operators of all businesses: it replays the events of all.",
          answers: { 200: { description: "Its report, as the command's `--json` gives it", schema: KEPT } },
        },
        async handle({ principal }) {
          if (confinedTo(principal.tenancy) !== null)
            return problem("forbidden", "a backtest is about every business: it needs an operator of all")
          const kept = await lastBacktest(db)
          return kept === null
            ? problem("not_found", "no backtest has been run against this hub's database")
            : json(200, body(kept))
        },
      },
    ],
  }
}

const body = ({ report, finishedAt }: KeptBacktest): JsonObject => ({ finished_at: finishedAt.toISOString(), report })

const KEPT: JsonObject = {
  type: "object",
  required: ["finished_at", "report"],
  properties: { finished_at: { type: "string", format: "date-time" }, report: { type: "object" } },
}
