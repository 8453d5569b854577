/** The faults are shown to say no: hubs with planted bugs, each caught by the short form that every run does. */
import { killWithMessages } from "./01-kill-jetstream.ts"
import { halfOpen } from "./04-half-open.ts"
import { channelDead } from "./08-channel-dead.ts"
import { idempotencyRace } from "./10-idempotency-race.ts"
import { unknownCommit } from "./21-unknown-commit.ts"
import { recoveryStorm } from "./37-recovery-storm.ts"
import { lostHints } from "./39-lost-hints.ts"
import { reconnectHerd } from "./40-reconnect-herd.ts"
import { MUTANTS } from "./mutants.ts"
import { catches } from "./shown.ts"

catches(unknownCommit, MUTANTS.ackBeforeCommit, ["lost", "another id for the same key"])
catches(idempotencyRace, MUTANTS.duplicatesInMemory, ["events of one key", "keys with several ids"])
catches(killWithMessages, MUTANTS.jetStreamAckBeforeCommit, ["acknowledged and not stored"])
catches(halfOpen, MUTANTS.poolWithoutDeadline, ["writes again after half-open"])
catches(channelDead, MUTANTS.oneSharedPool, ["waited for Slack"])
catches(recoveryStorm, MUTANTS.missedLacksOne, ["gaps"])
catches(lostHints, MUTANTS.noTailCheck, ["screens that have not seen all"])
catches(reconnectHerd, MUTANTS.openDoor, ["let in within 500 ms"])
