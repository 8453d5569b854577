// The insert's answer is taken for the event's safety: its transaction is committed behind the caller's back.
import { patch } from "./patch.ts"

patch(
  "store/events.ts",
  [["await insertOnce(\n      db,", "await insertOnce(\n      committedLater(db),"]],
  `
const committedLater = (db: Database): Queryable => ({
  ...db,
  query: (text, values) =>
    new Promise((resolve, reject) => {
      db.transaction(async (tx) => resolve(await tx.query(text, values))).catch(reject)
    }),
})
`,
)
