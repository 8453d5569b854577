/** `hub sockets kick`: closes a person's sockets through a running hub, which alone has them. */
import { asRecipientId } from "../domain/ids.ts"
import { type Command, flags, Misuse, settings } from "./command.ts"

const DEADLINE_MS = 15_000

export const socketsKick: Command = {
  name: "sockets kick",
  usage: "<recipient> [--url http://localhost:4000] [--key <admin key>] [--json]",
  summary: "close a person's sockets on every node; their clients come back with the token that they then have",
  async run(invocation) {
    const { values, positionals } = flags(invocation, { url: { type: "string" }, key: { type: "string" } }, 1)
    const [given] = positionals
    if (given === undefined) throw new Misuse("whose? hub sockets kick <recipient>")
    const recipient = asRecipientId(given)
    if (recipient === null) throw new Misuse(`${given}: expected a recipient's id, [A-Za-z0-9_.@|+-]{1,128}`)
    const config = settings(invocation)
    const key = values.key ?? config.apiKeys.find(({ scope }) => scope === "admin")?.key.reveal()
    if (key === undefined) throw new Misuse("no key of scope admin: give --key or set HUB_API_KEYS")
    const url = `${(values.url ?? config.http.publicUrl).replace(/\/+$/, "")}/admin/sockets/kick`
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ recipient_id: recipient }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    }).catch((error: unknown) => {
      throw new Misuse(`no hub answers at ${url}: ${error instanceof Error ? error.message : String(error)}`)
    })
    const body = await response.text()
    if (values.json) invocation.out(body)
    else if (!response.ok) invocation.err(`${response.status} ${body}`)
    else {
      const { closed_here: here }: { closed_here: number } = JSON.parse(body) // the answer of http/sockets.ts
      invocation.out(`${here} closed on the node that was asked; other nodes were told.`)
    }
    return response.ok ? 0 : 1
  },
}
