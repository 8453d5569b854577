import { recoveryStorm } from "./37-recovery-storm.ts"
import { lostHints } from "./39-lost-hints.ts"
import { reconnectHerd } from "./40-reconnect-herd.ts"
import { shows } from "./shown.ts"

shows(
  recoveryStorm,
  "screens that lose their sockets and their nodes miss nothing, see nothing twice, and cost one reading at most",
)
shows(lostHints, "what nodes fail to tell each other is on every screen all the same, the last message too")
shows(reconnectHerd, "all screens that knock at once are let in at the door's pace, and the node stays ready")
