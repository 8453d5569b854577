/** `hub migrate`: brings the database up to date; safe to run on several nodes at once. */
import { migrate } from "../store/migrate.ts"
import { type Command, flags, settings } from "./command.ts"
import { withDatabaseUrl } from "./with-database.ts"

export const migrateCommand: Command = {
  name: "migrate",
  usage: "[--json]",
  summary: "bring the database up to date",
  async run(invocation) {
    const { values } = flags(invocation, {}, 0)
    const config = settings(invocation)
    const { applied } = await withDatabaseUrl(config, invocation, (url) => migrate(url))
    if (values.json) invocation.out(JSON.stringify({ applied }))
    else invocation.out(applied.length === 0 ? "Up to date." : `Applied ${applied.join(", ")}.`)
    return 0
  },
}
