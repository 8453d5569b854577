import { expect, test } from "bun:test"
import { createInterface } from "node:readline"
import { Readable } from "node:stream"
import { type Call, startFakeProviders } from "./fake-providers.ts"

const post = (url: string, body: unknown) => fetch(url, { method: "POST", body: JSON.stringify(body) })

test("the fake providers behave as scripted, then well again, and remember what arrived", async () => {
  const fake = await startFakeProviders()
  fake.script("telegram", { kind: "answer", status: 429 })
  const url = `${fake.url}/botTOKEN/sendMessage`
  const arrived = fake.waitFor(2, "telegram")
  const statuses = [await post(url, { chat_id: 1, text: "a" }), await post(url, { chat_id: 1, text: "a" })]
  expect(statuses.map(({ status }) => status)).toEqual([429, 200])
  expect(await arrived).toHaveLength(2)
  expect(fake.counts((call) => call.text)).toEqual(new Map([["a", 2]]))
  expect(fake.calls.map(({ taken }) => taken)).toEqual([false, true])
  await fake.stop()
})

test("the fake providers can be a process of their own, whose ledger outlives a killed hub", async () => {
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/fake-providers.ts`, "--port", "0"], { stdout: "pipe" })
  try {
    const lines = createInterface({ input: Readable.fromWeb(child.stdout as never) }) // the DOM's and Node's stream types differ
    const port = await new Promise<string>((resolve) =>
      lines.once("line", (line) => resolve(line.replace("listening ", ""))),
    )
    const root = `http://127.0.0.1:${port}`
    await post(`${root}/_script`, { channel: "email", behaviours: [{ kind: "answer", status: 500 }] })
    expect((await post(`${root}/emails`, { to: "a@b.example", text: "hello" })).status).toBe(500)
    const ledger = (await (await fetch(`${root}/_ledger`)).json()) as readonly Call[] // what `control` answers
    expect(ledger).toMatchObject([{ channel: "email", to: "a@b.example", text: "hello" }])
  } finally {
    child.kill()
    await child.exited
  }
})
