/**
 * The second rival of bench/actors.ts: the actors of xstate 5. They handle a message inside `send` and know no
 * asynchronous handler, no bound and no call, so there is no await to pay for. Nobody subscribes or inspects. They come
 * in three forms, and the fastest one counts.
 */
import { assign, createActor, fromCallback, fromTransition, setup } from "xstate"
import { type Add, type Ball, type Contestant, returned, Tally } from "./tally.ts"

/** The leanest: a reducer that changes its state in place and returns it. */
export const xstateTransition: Contestant["run"] = async (messages) => {
  const tally = new Tally()
  const reducer = fromTransition((state: Tally, message: Add) => {
    state.add(message)
    return state
  }, tally)
  const one = createActor(reducer).start()
  const ms = await tally.feed(messages, (message) => one.send(message))
  one.stop()
  return ms
}

export const xstateCallback: Contestant["run"] = async (messages) => {
  const tally = new Tally()
  const one = createActor(fromCallback<Add>(({ receive }) => receive((message) => void tally.add(message)))).start()
  const ms = await tally.feed(messages, (message) => one.send(message))
  one.stop()
  return ms
}

/** What xstate is made for: a machine, with one assign for each message. */
export const xstateMachine: Contestant["run"] = async (messages) => {
  const tally = new Tally()
  // xstate reads its types off values that are never used.
  const machine = setup({ types: { context: {} as { sum: number }, events: {} as Add } }).createMachine({
    context: { sum: 0 },
    on: { add: { actions: assign({ sum: ({ event }) => tally.add(event) }) } },
  })
  const one = createActor(machine).start()
  const ms = await tally.feed(messages, (message) => one.send(message))
  one.stop()
  return ms
}

export const xstatePingPong: Contestant["run"] = async (messages) => {
  const tally = new Tally()
  const player = (peer: () => { send(ball: Ball): void }) =>
    createActor(
      fromTransition((state: Tally, ball: Ball) => {
        state.add(ball)
        if (ball.left > 0) peer().send(returned(ball))
        return state
      }, tally),
    ).start()
  const ping: { send(ball: Ball): void; stop(): unknown } = player(() => pong)
  const pong: { send(ball: Ball): void; stop(): unknown } = player(() => ping)
  const ms = await tally.play(messages, (ball) => ping.send(ball))
  ping.stop()
  pong.stop()
  return ms
}
