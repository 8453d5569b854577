/**
 * Bodies, within limits. Bun's own limit answers 413 with nothing in it before any code runs, so it is set out of reach
 * (`server.ts`) and the size is enforced here: by the announced length before reading, by counting while reading.
 */
import type { Json } from "../domain/json.ts"
import { checkJson } from "../domain/json-limits.ts"
import { systemClock } from "../runtime/clock.ts"
import { createDeadlines } from "../runtime/deadlines.ts"
import { invalid, type Problem, problem } from "./problem.ts"

export const EVENT_BYTES = 256 * 1024
export const BATCH_BYTES = 8 * 1024 * 1024
const READ_DEADLINE_MS = 15_000
/** What a connection may be silent for while a body is awaited: longer than that, so that whoever is slow is told. */
export const BODY_IDLE_SECONDS = 20

const tooLarge = (limit: number, actual: number | null): Problem =>
  problem("too_large", `at most ${limit} bytes are taken here${actual === null ? "" : `; got ${actual}`}`)

const tooSlow = (): Problem =>
  problem("malformed", `the body did not arrive within ${READ_DEADLINE_MS / 1_000} seconds`, {
    headers: { connection: "close" },
  })

/** More than this is not read for the sake of a refusal: the connection is given up instead. */
const WORTH_READING = 64 * 1024

/** True where a refused request may still be sending a body that nobody wants. */
export function maySendOn({ headers }: Request): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > WORTH_READING
}

/** True where a body is to come. */
export const hasBody = ({ headers }: Request): boolean =>
  headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0"

/** The media type without parameters, lower case; "" where there is none. */
export function mediaType(request: Request): string {
  const header = request.headers.get("content-type")
  if (header === null) return ""
  const end = header.indexOf(";")
  return (end === -1 ? header : header.slice(0, end)).trim().toLowerCase()
}

const decoder = new TextDecoder("utf-8", { fatal: true })
const inTime = createDeadlines(systemClock, READ_DEADLINE_MS)

/** The whole body, at most `limit` bytes of it, not compressed. Stops reading as soon as there are more. */
export async function readBytes(request: Request, limit: number): Promise<Uint8Array | Problem> {
  const encoding = request.headers.get("content-encoding")
  if (encoding !== null && !/^(?:identity)?$/i.test(encoding.trim()))
    return problem("unsupported_media_type", "expected a body that is not compressed: no Content-Encoding is taken", {
      headers: { "accept-encoding": "identity" },
    })
  const announced = request.headers.get("content-length")
  if (announced !== null && Number(announced) > limit) return tooLarge(limit, Number(announced))
  try {
    // With an announced length Bun takes exactly that many bytes; only a chunked body has to be counted.
    const read = await inTime<ArrayBuffer | Uint8Array | Problem>(
      announced === null ? readCounting(request, limit) : request.arrayBuffer(),
    )
    if (read === "late") return tooSlow()
    return read instanceof ArrayBuffer ? new Uint8Array(read) : read
  } catch {
    return problem("malformed", "the body broke off")
  }
}

async function readCounting(request: Request, limit: number): Promise<Uint8Array | Problem> {
  if (request.body === null) return new Uint8Array(0)
  const reader = request.body.getReader()
  const parts: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(parts)
    size += value.byteLength
    if (size > limit) {
      reader.cancel().catch(() => {
        // The connection is being closed anyway.
      })
      return tooLarge(limit, null)
    }
    parts.push(value)
  }
}

/** UTF-8 text, strictly. */
export function decode(bytes: Uint8Array): string | Problem {
  try {
    return decoder.decode(bytes)
  } catch {
    return problem("malformed", "the body is not UTF-8")
  }
}

/** Parses JSON; the value is not checked further. The answer never quotes the body. */
export function parseJson(text: string): { readonly value: Json } | Problem {
  try {
    return { value: JSON.parse(text) as Json } // that is what JSON.parse makes
  } catch {
    return problem("malformed", text.trim() === "" ? "expected JSON, got an empty body" : "the body is not JSON")
  }
}

/** The JSON body of an ordinary endpoint, at most 256 KiB: as `readJsonList`, and that it may be stored (`checkJson`). */
export async function readJson(request: Request): Promise<{ readonly value: Json } | Problem> {
  const parsed = await readJsonList(request, EVENT_BYTES)
  if ("kind" in parsed) return parsed
  const errors = checkJson(parsed.value)
  return errors.length > 0 ? invalid(errors) : parsed
}

/** Content type, size, UTF-8 and syntax alone: the items of a list are checked one by one, so that one cannot fail the others. */
export async function readJsonList(request: Request, limit: number): Promise<{ readonly value: Json } | Problem> {
  const type = mediaType(request)
  if (type !== "application/json") return unsupported(type, ["application/json"])
  const bytes = await readBytes(request, limit)
  if ("kind" in bytes) return bytes
  const text = decode(bytes)
  return typeof text === "string" ? parseJson(text) : text
}

/** 415 that names what is taken. */
export const unsupported = (got: string, taken: readonly string[]): Problem =>
  problem(
    "unsupported_media_type",
    `expected ${taken.join(" or ")}; got ${got === "" ? "no content type" : "another"}`,
    {
      headers: { accept: taken.join(", ") },
    },
  )
