/** What the storms are judged by is shown to count: a hub that breaks each promise once, on purpose. */
import { expect, test } from "bun:test"
import { droppingPublications } from "../src/testing/nats-dropper.ts"
import { owed, Screen } from "./screens.ts"

const TOPIC = "resources:b1:l1"
const item = (offset: number) => ({ event: "resource_update", payload: { _offset: offset } })

/** Answers each join with the next of these, and then says `pushes`; then closes, unless it was the last. */
async function judge(
  answers: readonly { readonly response: object; readonly pushes: readonly number[] }[],
  head: number,
): Promise<Record<string, number>> {
  let joins = 0
  const said = Promise.withResolvers<void>()
  const server = Bun.serve({
    port: 0,
    fetch: (request, own) => (own.upgrade(request) ? undefined : new Response(null, { status: 400 })),
    websocket: {
      message(socket, text) {
        const [joinRef, ref, topic] = JSON.parse(String(text)) as readonly string[] // the screen's own frame
        const answer = answers[joins++]
        if (answer === undefined) return
        const { response, pushes } = answer
        socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response }]))
        for (const at of pushes) socket.send(JSON.stringify([null, null, topic, "resource_update", { _offset: at }]))
        if (joins < answers.length) socket.close(1012)
        else {
          socket.send(JSON.stringify([null, null, topic, "end", {}]))
          // Its answer says that all before it was heard.
          socket.ping()
        }
      },
      pong: () => said.resolve(),
    },
  })
  const screen = new Screen({ url: () => `ws://127.0.0.1:${server.port}`, token: "t", topic: TOPIC })
  await said.promise
  screen.leave()
  await server.stop(true)
  const figures = owed([screen], new Map([[TOPIC, head]]))
  return Object.fromEntries(figures.filter(({ value }) => value > 0).map(({ what, value }) => [what, value]))
}

const first = { epoch: "e", offset: 1 }
test("a screen that was owed nothing counts nothing", async () => {
  const back = { epoch: "e", offset: 4, recovered: true, missed: [item(3), item(4)] }
  expect(
    await judge(
      [
        { response: first, pushes: [2] },
        { response: back, pushes: [5] },
      ],
      5,
    ),
  ).toEqual({})
})

test.each([
  ["a gap", [{ response: first, pushes: [2, 4] }], 4, { gaps: 1 }],
  ["a repeat", [{ response: first, pushes: [2, 2, 3] }], 3, { twice: 1 }],
  ["an older one", [{ response: first, pushes: [2, 3, 4, 2] }], 4, { overtaken: 1 }],
  ["an end that never came", [{ response: first, pushes: [2] }], 3, { "screens that have not seen all": 1 }],
  [
    "a recovery that lacks its first",
    [
      { response: first, pushes: [] },
      { response: { epoch: "e", offset: 3, recovered: true, missed: [item(3)] }, pushes: [] },
    ],
    3,
    { gaps: 1 },
  ],
  [
    "a recovery that lacks its last",
    [
      { response: first, pushes: [] },
      { response: { epoch: "e", offset: 3, recovered: true, missed: [item(2)] }, pushes: [] },
    ],
    3,
    { gaps: 1 },
  ],
  [
    "a recovery that is none",
    [
      { response: first, pushes: [] },
      { response: { epoch: "e", offset: 3, recovered: false }, pushes: [] },
    ],
    3,
    { "not recovered": 1 },
  ],
] as const)("%s is counted", async (_name, answers, head, broken) => {
  expect(await judge(answers, head)).toEqual(broken)
})

test("of what goes to NATS only whole messages of one subject are lost, wherever the bytes are cut", () => {
  const said =
    'CONNECT {"x":1}\r\nPUB hub.news 5\r\nPUB a\r\nPING\r\nPUB other 0\r\n\r\nPUB hub.news reply 2\r\n\r\n\r\nHPUB hub.news 12 13\r\nNATS/1.0\r\n\r\nx\r\nSUB a 1\r\n'
  const kept = 'CONNECT {"x":1}\r\nPING\r\nPUB other 0\r\n\r\nHPUB hub.news 12 13\r\nNATS/1.0\r\n\r\nx\r\nSUB a 1\r\n'
  for (let size = 1; size < 12; size++) {
    let n = 0
    const gate = droppingPublications("hub.news", () => n++ < 2)
    const bytes = Buffer.from(said)
    const pieces: string[] = []
    for (let at = 0; at < bytes.length; at += size)
      pieces.push(gate.toServer(bytes.subarray(at, at + size)).forward.toString())
    expect(pieces.join("")).toBe(kept)
  }
})
