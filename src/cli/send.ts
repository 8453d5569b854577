/** `hub send <event.json>`: hands one event (or a list) to a running hub and shows its answer. */
import { readFile } from "node:fs/promises"
import { type Command, flags, Misuse, settings } from "./command.ts"

const DEADLINE_MS = 15_000

export const send: Command = {
  name: "send",
  usage: "<event.json | -> [--url http://localhost:4000] [--key <api key>] [--json]",
  summary: "send an event to a running hub",
  async run(invocation) {
    const { values, positionals } = flags(invocation, { url: { type: "string" }, key: { type: "string" } }, 1)
    const [file] = positionals
    if (file === undefined) throw new Misuse("which file? hub send <event.json>, or - for standard input")
    const config = settings(invocation)
    const key = values.key ?? config.apiKeys[0]?.key.reveal()
    if (key === undefined) throw new Misuse("no key: give --key or set HUB_API_KEYS")
    const text = await read(file)
    const url = `${(values.url ?? config.http.publicUrl).replace(/\/+$/, "")}${Array.isArray(parse(text, file)) ? "/v1/events/batch" : "/v1/events"}`
    const response = await post(url, key, text)
    const body = await response.text()
    if (values.json) invocation.out(body)
    else invocation.out(`${response.status} ${body}`)
    return response.ok && !holdsInvalid(body) ? 0 : 1
  },
}

/** A batch is answered 200 whatever becomes of its events. */
function holdsInvalid(body: string): boolean {
  const answer: { results?: readonly { status?: string }[] } | null = JSON.parse(body)
  return answer?.results?.some((result) => result.status === "invalid") === true
}

async function read(file: string): Promise<string> {
  try {
    return file === "-" ? await Bun.stdin.text() : await readFile(file, "utf8")
  } catch (error) {
    throw new Misuse(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Misuse(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function post(url: string, key: string, body: string): Promise<Response> {
  try {
    return await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body,
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
  } catch (error) {
    throw new Misuse(`no hub answers at ${url}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
