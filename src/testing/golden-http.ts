/** The part of the golden transcript that is plain HTTP: answers to upgrades and to polls, in the recorder's own form. */
import { asToken, type Golden, roomOf, WINDOW_MS } from "./golden-record.ts"
import { rawUpgrade } from "./raw-http.ts"

/** `name: path {headers}` and the line of its answer, as the recorder wrote both. */
export async function recordUpgrade(golden: Golden, asked: string): Promise<string> {
  const [, path = "", headers = "{}"] = /^[^/]*: (\S+) (\{.*\})$/.exec(asked) ?? []
  const [mount = "", query = ""] = path.split("/websocket")
  const room = roomOf(golden, mount)
  const given = JSON.parse(headers) as Record<string, string> // the recorder's
  const { text } = await rawUpgrade(room.server.port ?? 0, asToken(query.replace("?", "")), given)
  const [head = "", body = ""] = text.split("\r\n\r\n")
  const isSocket = head.startsWith("HTTP/1.1 101")
  return sortedHead(`=> ${head.split("\r\n").join(" | ")} ${isSocket ? "" : JSON.stringify(body)}`)
}

/** Headers in one order and spelling: HTTP knows neither. Date, server and vary say nothing of Phoenix. */
export function sortedHead(line: string): string {
  const [, head = "", body = ""] = /^=> (.*?)( "[^|]*")?$/s.exec(line.trimEnd()) ?? []
  const [status = "", ...headers] = head.split(" | ").map((part) => part.trim())
  const named = headers
    .map((header) => header.replace(/^[^:]+/, (name) => name.toLowerCase()))
    .filter((header) => !/^(date|server|vary):/.test(header))
  return `=> ${[status, ...named.sort()].join(" | ")}${body}`
}

const SHOWN = [
  "content-type",
  "access-control-allow-origin",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-max-age",
  "cache-control",
  "sec-websocket-protocol",
]

/** One plain request, in the recorder's two lines (more where the body has several). */
export async function recordRequest(
  name: string,
  asked: {
    readonly method: string
    readonly path: string
    readonly headers?: Record<string, string>
    readonly body?: string
  },
  ask: (path: string, init: RequestInit) => Promise<Response>,
): Promise<{ readonly lines: readonly string[]; readonly text: string }> {
  const { method, path, headers = {}, body } = asked
  const began = performance.now()
  const response = await ask(asToken(path), { method, headers, ...(body === undefined ? {} : { body }) })
  const text = (await response.text()).replace(/"request_id":"[^"]+"/, '"request_id":"ID"')
  const windows = Math.floor((performance.now() - began) / (WINDOW_MS * 0.9))
  const shown = SHOWN.flatMap((header) => {
    const value = response.headers.get(header)
    return value === null || value === "" ? [] : [`${header}: ${value}`]
  })
  const written =
    `${name}: ${method} ${path.replace(/token=[^&]+/, "token=TOKEN")} ${body ?? ""}\n` +
    `=> ${response.status} ${text.replace(/"token":"[^"]+"/, '"token":"TOKEN"')}  [${shown.join("; ")}]` +
    (windows > 0 ? ` after ${windows} s` : "")
  return { lines: written.split("\n").map((line) => line.trim()), text }
}
