import { pauses } from "./02-pause.ts"
import { rollingRestart } from "./11-rolling-restart.ts"
import { termThenKill } from "./12-term-then-kill.ts"
import { crashPoints } from "./13-crash-points.ts"
import { replayUnderKill } from "./15-replay.ts"
import { poisonCrash } from "./25-poison-crash.ts"
import { poisonEvent } from "./25-poison-event.ts"
import { shows } from "./shown.ts"

shows(pauses, "a node that was stopped past its lease settles nothing that others have taken over")
shows(
  rollingRestart,
  "two nodes are restarted in turn, and no message, request or screen is lost, and nothing sent twice",
)
shows(termThenKill, "a hub that is killed while it stops loses nothing")
shows(crashPoints, "a hub may die at any place where something is half done, and what is left is done by the next")
shows(
  replayUnderKill,
  "dead letters that are replayed while hubs are killed are each sent once more, whoever asks again",
)
shows(
  poisonCrash,
  "a message that ends the process is a dead letter when its tries are spent, and takes nobody with it",
)
shows(poisonEvent, "an event that ends the process is given up after three times, and takes nobody with it")
