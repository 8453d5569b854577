/** The side of bench/actors.ts that is measured: actors of src/runtime as the hub writes them. */
import { type ActorContext, actor, type Behaviour } from "../../src/runtime/actor.ts"
import { systemClock } from "../../src/runtime/clock.ts"
import { startTree, supervisor, type Tree } from "../../src/runtime/supervisor.ts"
import { type Add, type Ask, type Ball, CALL_DEADLINE_MS, type Contestant, returned, Tally } from "./tally.ts"

/** Actors with the default settings (bound 1,000, deadlines on) below a root; senders look them up by name. */
async function inTree<M>(
  starts: Record<string, (ctx: ActorContext<M>) => Behaviour<M>>,
  measure: (tree: Tree) => Promise<number>,
): Promise<number> {
  const children = Object.entries(starts).map(([id, start]) => actor<M>({ id, start }))
  const onGiveUp = () => {
    throw new Error("the tree gave up")
  }
  const root = supervisor({ id: "root", strategy: "one_for_one", children })
  const tree = await startTree(root, { clock: systemClock, emit() {}, onGiveUp })
  const ms = await measure(tree)
  const { deadLetters } = tree.snapshot()
  if (deadLetters > 0) throw new Error(`${deadLetters} messages reached nobody`)
  await tree.stop()
  return ms
}

export function runtimeOneWay(handler: (tally: Tally) => Behaviour<Add>["handle"]): Contestant["run"] {
  return (messages) => {
    const tally = new Tally()
    return inTree<Add>({ one: () => ({ handle: handler(tally) }) }, (tree) => {
      const one = tree.ref<Add>("one")
      return tally.feed(messages, (message) => void one.send(message))
    })
  }
}

/** `call` has a deadline that cannot be left away: a timer is set and cleared for each. */
export const runtimeCall: Contestant["run"] = (messages) => {
  const tally = new Tally()
  return inTree<Ask>({ one: () => ({ handle: (ask) => ask.reply(tally.add(ask)) }) }, (tree) => {
    const one = tree.ref<Ask>("one")
    return tally.ask(messages, (amount) =>
      one.call<number>((reply) => ({ type: "add", amount, reply }), CALL_DEADLINE_MS),
    )
  })
}

export const runtimePingPong: Contestant["run"] = (messages) => {
  const tally = new Tally()
  const player = (other: string) => (ctx: ActorContext<Ball>) => {
    const peer = ctx.ref<Ball>(other)
    return {
      handle(ball: Ball) {
        tally.add(ball)
        if (ball.left > 0) peer.send(returned(ball))
      },
    }
  }
  return inTree<Ball>({ ping: player("pong"), pong: player("ping") }, (tree) =>
    tally.play(messages, (ball) => void tree.ref<Ball>("ping").send(ball)),
  )
}
