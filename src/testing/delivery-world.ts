/** The room of deliveries alone, for its tests: over a database of its own and the fake providers, with what it tells. */
import type { ChannelWorker } from "../channels/channel.ts"
import { type DeliveryOptions, deliveryTree } from "../delivery/tree.ts"
import { localPubSub, type PubSub } from "../pubsub/pubsub.ts"
import { systemClock } from "../runtime/clock.ts"
import { startTree, type Tree } from "../runtime/supervisor.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { type FakeProviders, startFakeProviders } from "./fake-providers.ts"
import { type Heard, heard } from "./heard.ts"
import { testDatabase } from "./postgres.ts"

export interface DeliveryWorld {
  readonly db: Database
  readonly fake: FakeProviders
  readonly pubsub: PubSub
  /** What is told during one test. */
  readonly told: Heard
  /** Starts the room with these channels; it runs until the test's end. */
  run(workers: readonly ChannelWorker[], options?: Partial<DeliveryOptions>): Promise<Tree>
  /** Before each test: no deliveries, nothing told. */
  begin(): Promise<void>
  /** After each test: stops what was started. Throws where a tree gave up. */
  end(): Promise<void>
  /** Gives the database and the providers back. */
  stop(): Promise<void>
}

export async function startDeliveryWorld(): Promise<DeliveryWorld> {
  const server = await testDatabase()
  const db = openDatabase({ url: server.url, max: 8 })
  const fake = await startFakeProviders()
  const told = heard()
  const pubsub = localPubSub((error) => {
    throw error
  })
  let trees: Tree[] = []
  let gaveUp = 0
  return {
    db,
    fake,
    pubsub,
    told,
    async run(workers, options = {}) {
      const root = deliveryTree({ db, workers, pubsub, telemetry: told, clock: systemClock, drainMs: 300, ...options })
      const onGiveUp = (): void => {
        gaveUp += 1
      }
      const tree = await startTree(root, { clock: systemClock, emit: () => undefined, onGiveUp })
      trees.push(tree)
      return tree
    },
    async begin() {
      told.clear()
      gaveUp = 0
      await db.execute("truncate deliveries, messages, attempts")
    },
    async end() {
      await Promise.all(trees.map((tree) => tree.stop()))
      trees = []
      fake.reset()
      if (gaveUp > 0) throw new Error("the tree of deliveries gave up")
    },
    async stop() {
      await fake.stop()
      await db.close()
      await server.drop()
    },
  }
}
