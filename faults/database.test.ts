import { postgresCrash } from "./03-postgres-crash.ts"
import { halfOpen } from "./04-half-open.ts"
import { connectionBudget } from "./18-connection-budget.ts"
import { locks } from "./19-locks.ts"
import { unknownCommit } from "./21-unknown-commit.ts"
import { shows } from "./shown.ts"

shows(postgresCrash, "while PostgreSQL crashes, or all its connections are cut, the hub loses nothing and stays up")
shows(halfOpen, "when PostgreSQL's connections go silent, every request is answered and writes go on by themselves")
shows(
  connectionBudget,
  "three hubs that want more connections than there are lose nothing and let nobody wait for ever",
)
shows(locks, "while somebody else holds a lock nobody waits for ever, and afterwards the hub goes on")
shows(unknownCommit, "a producer that repeats its key gets its one event, wherever the connection broke at the commit")
