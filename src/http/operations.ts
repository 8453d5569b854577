/** What an operator does to running processes has no row of its own: it is noted before it is done. */
import type { JsonObject } from "../domain/json.ts"
import { actorOf, confinedTo, type Principal } from "../domain/principal.ts"
import { appendAudit } from "../store/audit.ts"
import { type Database, databaseProblem } from "../store/database.ts"

/** Notes in the audit log what `principal` is about to do, where that can be done. */
export async function noteOperation(
  db: Database,
  principal: Principal,
  action: string,
  detail: JsonObject,
): Promise<void> {
  const businesses = confinedTo(principal.tenancy)
  try {
    await appendAudit(db, { actor: actorOf(principal), action, businesses, key: null, detail })
  } catch (error) {
    // A part may be restarted because the database is away: then the process's own log says who did.
    if (databaseProblem(error) !== "away") throw error
  }
}
