import { poison } from "./09-poison.ts"
import { idempotencyRace } from "./10-idempotency-race.ts"
import { shows } from "./shown.ts"

shows(poison, "poison among events is refused one by one, and its good neighbours are stored")
shows(idempotencyRace, "one key is one event, however many bring it at once to whichever node")
