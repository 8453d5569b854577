import { expect, test } from "bun:test"
import { FrameLog, fits, MOST_KEPT } from "./frame-log.ts"
import { decode } from "./wire.ts"

const take = (log: FrameLog, raw: string, secrets: readonly string[] = []) => log.frame("in", raw, decode(raw), secrets)
const all = { topic: null, words: "", heartbeats: false }

test("only the last are kept, all are counted, and after clearing counting begins anew", () => {
  const log = new FrameLog()
  for (let at = 1; at <= MOST_KEPT + 20; at++) take(log, `[null,null,"t","e",{"at":${at}}]`)
  expect([log.kept.length, log.total, log.kept[0]?.id]).toEqual([MOST_KEPT, MOST_KEPT + 20, 21])
  log.clear()
  expect([log.kept.length, log.total]).toEqual([0, 0])
})

test("a secret is hidden in every part that is kept", () => {
  const kept = take(new FrameLog(), '["1","1","t","phx_join",{"token":"s3cret"}]', ["s3cret"])
  expect(JSON.stringify(kept)).not.toContain("s3cret")
  expect(kept.message?.payload).toEqual({ token: "•••" })
})

test("frames are chosen by topic and by words; heartbeats only where they are wanted; the line's own life always shows", () => {
  const log = new FrameLog()
  const [one, other] = [take(log, '[null,null,"a","e",{"who":"Ann"}]'), take(log, '[null,null,"b","e",{}]')]
  const beat = take(log, '[null,"9","phoenix","heartbeat",{}]')
  const line = log.line("Open: WebSocket.")
  const chosen = (filter: Parameters<typeof fits>[1]) => log.kept.filter((passed) => fits(passed, filter))
  expect(chosen(all)).toEqual([one, other, line])
  expect(chosen({ ...all, topic: "a" })).toEqual([one, line])
  expect(chosen({ ...all, words: "ANN" })).toEqual([one])
  expect(chosen({ ...all, topic: "b", heartbeats: true })).toEqual([other, beat, line])
})
