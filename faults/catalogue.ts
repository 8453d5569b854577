/** Every fault that there is, in the order in which they are run. */
import { killWithMessages } from "./01-kill-jetstream.ts"
import { killLoop } from "./01-kill-loop.ts"
import { pauses } from "./02-pause.ts"
import { postgresCrash } from "./03-postgres-crash.ts"
import { halfOpen } from "./04-half-open.ts"
import { providerChaos } from "./07-provider-chaos.ts"
import { channelDead } from "./08-channel-dead.ts"
import { poison } from "./09-poison.ts"
import { idempotencyRace } from "./10-idempotency-race.ts"
import { rollingRestart } from "./11-rolling-restart.ts"
import { termThenKill } from "./12-term-then-kill.ts"
import { crashPoints } from "./13-crash-points.ts"
import { killMigration } from "./14-kill-migration.ts"
import { replayUnderKill } from "./15-replay.ts"
import { diskFull } from "./16-disk-full.ts"
import { connectionBudget } from "./18-connection-budget.ts"
import { locks } from "./19-locks.ts"
import { unknownCommit } from "./21-unknown-commit.ts"
import { clockJumps } from "./22-clock-jumps.ts"
import { poisonCrash } from "./25-poison-crash.ts"
import { poisonEvent } from "./25-poison-event.ts"
import { restartStorm } from "./26-restart-storm.ts"
import { blockedLoop } from "./27-blocked-loop.ts"
import { retryHerd } from "./33-retry-herd.ts"
import { ordering } from "./34-ordering.ts"
import { schedulerDrift } from "./36-scheduler-drift.ts"
import { recoveryStorm } from "./37-recovery-storm.ts"
import { hostileSockets } from "./38-hostile-sockets.ts"
import { lostHints } from "./39-lost-hints.ts"
import { reconnectHerd } from "./40-reconnect-herd.ts"
import { stockClient } from "./41-stock-client.ts"
import { forgery } from "./42-forgery.ts"
import { fuzzing } from "./45-fuzz.ts"
import { contentInjection } from "./46-content-injection.ts"
import { deliveryModel, deliveryRaces } from "./60-delivery-model.ts"
import type { Fault } from "./fault.ts"
import { natsCrash, natsFlood, natsWiped } from "./nats.ts"

export const FAULTS: readonly Fault[] = [
  killLoop,
  killWithMessages,
  pauses,
  postgresCrash,
  halfOpen,
  natsCrash,
  natsWiped,
  providerChaos,
  channelDead,
  poison,
  idempotencyRace,
  rollingRestart,
  termThenKill,
  crashPoints,
  killMigration,
  replayUnderKill,
  diskFull,
  connectionBudget,
  locks,
  unknownCommit,
  clockJumps,
  natsFlood,
  poisonCrash,
  poisonEvent,
  restartStorm,
  blockedLoop,
  retryHerd,
  ordering,
  schedulerDrift,
  recoveryStorm,
  hostileSockets,
  lostHints,
  reconnectHerd,
  stockClient,
  forgery,
  fuzzing,
  contentInjection,
  deliveryModel,
  deliveryRaces,
]
