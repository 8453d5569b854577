// The resources server: keeps what happens at each location of a business and tells the hub of every change.
// `bun examples/resources-server/main.ts`; README.md has the settings.
import { openDatabase } from "./database.ts"
import { createApp } from "./http.ts"
import { tellHub } from "./hub.ts"
import { outboxState } from "./outbox.ts"
import { startRelay } from "./relay.ts"
import { openResources } from "./resources.ts"
import { readSettings } from "./settings.ts"
import { admitter } from "./tenancy.ts"

const settings = readSettings(process.env)
const pool = await openDatabase(settings.databaseUrl)
const hub = { url: settings.hubUrl, key: settings.hubKey, timeoutMs: 5_000 }
const relay = startRelay({
  pool,
  send: ({ id, message }) => tellHub(hub, id, message),
  width: 4,
  pollMs: 2_000,
  pauseMs: 250,
  longestPauseMs: 15_000,
})
const app = createApp({
  resources: openResources(pool, settings.shard, relay.wake),
  admit: admitter(settings.jwtSecret),
  outbox: () => outboxState(pool),
  trouble: relay.trouble,
}).listen(settings.port)
console.log(`resources server: http://localhost:${app.server?.port}  API: /api  hub: ${settings.hubUrl}`)

let stopping = false
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    if (stopping) return
    stopping = true
    void app
      .stop()
      .then(() => relay.stop())
      .then(() => pool.end())
      .then(() => process.exit(0))
  })
}
