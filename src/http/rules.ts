/** `GET /v1/rules`: the rules that run now, and under which revision. */
import type { JsonObject } from "../domain/json.ts"
import { json, type RouteFile } from "./route.ts"

export const rulesRoutes = (running: () => JsonObject): RouteFile => ({
  routes: [
    {
      method: "GET",
      path: "/v1/rules",
      access: "service",
      doc: {
        summary: "The rules that run now",
        tag: "Rules",
        answers: {
          200: {
            description: "The set with its revision",
            schema: {
              type: "object",
              properties: {
                revision: { type: "string" },
                loaded_at: { type: "string", format: "date-time" },
                rules: { type: "array" },
              },
            },
          },
        },
      },
      handle: () => json(200, running()),
    },
  ],
})
