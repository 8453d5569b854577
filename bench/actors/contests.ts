/** Who meets whom in bench/actors.ts, and over how many messages. */
import { bareCall, barePingPong, forAwaitOneWay, whileOneWay } from "./bare.ts"
import { runtimeCall, runtimeOneWay, runtimePingPong } from "./runtime.ts"
import { type Add, CALL_DEADLINE_MS, type Contestant, type Tally } from "./tally.ts"
import { xstateCallback, xstateMachine, xstatePingPong, xstateTransition } from "./xstate.ts"

export interface Contest {
  readonly what: string
  readonly runtime: Contestant
  readonly bare: readonly Contestant[]
  readonly xstate: readonly Contestant[]
  /** Shown, but not the same job. */
  readonly forScale?: readonly Contestant[]
  /** The least share of the fastest bare loop's rate, and ahead of xstate; null where nothing was asked for. */
  readonly aim: number | null
}

const MANY = 200_000
const SOME = 100_000

const plain = (tally: Tally) => (message: Add) => void tally.add(message)
const asynchronous = (tally: Tally) => async (message: Add) => void tally.add(message)

export const CONTESTS: readonly Contest[] = [
  {
    what: "one way, plain handler",
    runtime: { name: "actor", messages: MANY, run: runtimeOneWay(plain) },
    bare: [
      { name: "while loop, one await each", messages: MANY, run: whileOneWay(plain) },
      { name: "for await over a generator", messages: MANY, run: forAwaitOneWay(plain) },
    ],
    xstate: [
      { name: "xstate fromTransition", messages: MANY, run: xstateTransition },
      { name: "xstate fromCallback", messages: MANY, run: xstateCallback },
      { name: "xstate machine, one assign", messages: MANY / 10, run: xstateMachine },
    ],
    aim: 0.5,
  },
  {
    what: "one way, async handler",
    runtime: { name: "actor", messages: MANY, run: runtimeOneWay(asynchronous) },
    bare: [{ name: "while loop, one await each", messages: MANY, run: whileOneWay(asynchronous) }],
    xstate: [],
    aim: 0.5,
  },
  {
    what: "call and reply",
    runtime: { name: "actor, call with a deadline", messages: SOME, run: runtimeCall },
    bare: [{ name: "while loop, a deadline each", messages: SOME, run: bareCall(CALL_DEADLINE_MS) }],
    xstate: [],
    forScale: [{ name: "while loop, no deadline", messages: SOME, run: bareCall(null) }],
    aim: null,
  },
  {
    what: "ping-pong of two",
    runtime: { name: "two actors", messages: SOME, run: runtimePingPong },
    bare: [{ name: "two while loops", messages: SOME, run: barePingPong }],
    xstate: [{ name: "two xstate fromTransition", messages: SOME, run: xstatePingPong }],
    aim: null,
  },
]
