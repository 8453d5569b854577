import { expect, test } from "bun:test"
import { RawClient, startRoom } from "../testing/realtime-room.ts"
import { joinLimits } from "./limits.ts"

test("who may join 300 topics may join all of them at once, and again after a lost line; the next is refused", async () => {
  const room = await startRoom({ limits: joinLimits(300) })
  const client = await RawClient.open(room.url())
  for (const round of ["a", "b"]) {
    for (let n = 0; n < 300; n++) client.send([`${round}${n}`, "1", `resources:b1:l${n}`, "phx_join", {}])
    const answers: string[] = []
    while (answers.length < 300) {
      const [, , , event, payload] = await client.frame()
      if (event === "phx_reply") answers.push(JSON.stringify(payload))
    }
    expect(answers.filter((answer) => !answer.startsWith(`{"status":"ok"`))).toEqual([])
  }
  await client.settled()
  expect(await client.join("resources:b1:l300")).toEqual({
    status: "error",
    response: { reason: "too many channels joined" },
  })
  await room.stop()
})
