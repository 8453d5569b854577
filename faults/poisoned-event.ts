// Preloaded into a hub's process: an event whose payload holds the word `poison` ends it, as by `kill -9`, when it is decided.
import { patch } from "./mutants/patch.ts"

const DECIDED = "const guarded = <T>(event: HubEvent, work: () => T): T | Plan => {"
const DIES =
  'for (const { payload } of events) if (JSON.stringify(payload).includes("poison")) process.kill(process.pid, "SIGKILL")'

patch("routing/decide-batch.ts", [[DECIDED, `${DIES}\n${DECIDED}`]])
