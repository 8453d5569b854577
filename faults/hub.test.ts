import { killWithMessages } from "./01-kill-jetstream.ts"
import { killLoop } from "./01-kill-loop.ts"
import { killMigration } from "./14-kill-migration.ts"
import { shows } from "./shown.ts"

shows(killLoop, "kill -9 of a hub under load, 50 times, loses no accepted event and leaves nothing stuck")
shows(killWithMessages, "a hub that is killed with messages of the stream in hand has acknowledged none of them")
shows(killMigration, "a migration that is killed in the middle is completed by the next start, and by two at once")
