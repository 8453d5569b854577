// Preloaded into a hub's process: a message that holds the word `poison` ends it, as by `kill -9`, whenever it is tried.
import { patch } from "./mutants/patch.ts"

const TRIED = "cut.listen(giveUp)"
const DIES = 'if (JSON.stringify(message).includes("poison")) process.kill(process.pid, "SIGKILL")'

patch("delivery/send.ts", [[TRIED, `${TRIED}; ${DIES}`]])
