import { clockJumps } from "./22-clock-jumps.ts"
import { ordering } from "./34-ordering.ts"
import { schedulerDrift } from "./36-scheduler-drift.ts"
import { shows } from "./shown.ts"

shows(clockJumps, "a hub whose clock jumps by hours tells nobody too early and nothing twice")
shows(schedulerDrift, "what is to happen at its moment happens then, and is not forgotten by a hub that is killed")
shows(ordering, "what two nodes take of one place at the same time is seen on both in one order, all of it")
