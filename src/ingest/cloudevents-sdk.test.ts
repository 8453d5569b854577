/** The CloudEvents SDK for JavaScript as a producer: what its users send arrives, whole, at a whole hub. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { CloudEvent, emitterFor, HTTP, httpTransport, type Message, Mode } from "cloudevents"
import type { JsonObject } from "../domain/json.ts"
import { jsonOf, SERVICE_KEY } from "../testing/front.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"

let hub: TestHub
beforeAll(async () => {
  hub = await startTestHub()
}, 60_000)
afterAll(() => hub.remove(), 60_000)

/** The SDK leaves sending to whoever has a message. */
const post = (message: Message): Promise<Response> => {
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]))
  const body = message.body as string | Uint8Array<ArrayBuffer> | undefined // `unknown` in the SDK: text, or the bytes it was given
  return hub.call("/v1/events", { method: "POST", key: SERVICE_KEY, headers, ...(body === undefined ? {} : { body }) })
}
const read = async (id: unknown): Promise<JsonObject> => jsonOf<JsonObject>(hub.call(`/v1/events/${String(id)}`))
const accepted = async (response: Response): Promise<JsonObject> => {
  const body = await jsonOf<JsonObject>(response)
  if (response.status !== 201) throw new Error(JSON.stringify(body))
  return read(body["id"])
}

const order = (changes: Record<string, unknown> = {}): CloudEvent<unknown> =>
  new CloudEvent({
    type: "com.example.order.placed",
    source: "/shop/north",
    subject: "order/7",
    time: "2024-04-05T17:31:00.000Z",
    businessid: "b1",
    severity: "high",
    correlationid: "c-1",
    attempt: 2,
    data: { order: 7, lines: [{ sku: "A-1" }] },
    ...changes,
  })
const asStored = {
  type: "com.example.order.placed",
  source: "/shop/north",
  business_id: "b1",
  severity: "high",
  correlation_id: "c-1",
  occurred_at: "2024-04-05T17:31:00.000Z",
  payload: { order: 7, lines: [{ sku: "A-1" }] },
}

describe("what the CloudEvents SDK sends", () => {
  test("structured is accepted with all its attributes", async () => {
    const event = order()
    expect(await accepted(await post(HTTP.structured(event)))).toMatchObject({
      ...asStored,
      idempotency_key: event.id,
      extensions: { subject: "order/7", attempt: 2 },
    })
  })

  test("binary is accepted with all its attributes", async () => {
    const event = order()
    expect(await accepted(await post(HTTP.binary(event)))).toMatchObject({
      ...asStored,
      idempotency_key: event.id,
      extensions: { subject: "order/7", attempt: "2" },
    })
  })

  test("in one mode and again in the other is one event", async () => {
    const event = order()
    const first = await jsonOf<JsonObject>(post(HTTP.binary(event)))
    const again = await post(HTTP.structured(event))
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"])
    expect(await again.json()).toEqual({ id: first["id"], status: "duplicate" })
  })

  test("with the id of another event is refused, naming it", async () => {
    const event = order()
    const first = await jsonOf<JsonObject>(post(HTTP.binary(event)))
    const other = await post(HTTP.structured(event.cloneWith({ data: { order: 8 } })))
    expect(other.status).toBe(422)
    expect(await other.json()).toMatchObject({
      code: "idempotency_key_reused",
      detail: expect.stringContaining(String(first["id"])),
    })
  })

  test("as bytes arrives as their base64", async () => {
    const event = order({ datacontenttype: "application/octet-stream", data: new Uint8Array([0, 1, 255]) })
    expect(await accepted(await post(HTTP.structured(event)))).toMatchObject({ payload: { data_base64: "AAH/" } })
  })

  test("as text arrives as text, in each mode", async () => {
    for (const mode of [HTTP.structured, HTTP.binary])
      expect(await accepted(await post(mode(order({ datacontenttype: "text/plain", data: "hello" }))))).toMatchObject({
        payload: { data: "hello" },
      })
  })

  test("through its emitter and transport is accepted, in each mode", async () => {
    const transport = httpTransport(`http://127.0.0.1:${hub.port}/v1/events`)
    for (const mode of [Mode.BINARY, Mode.STRUCTURED]) {
      const emit = emitterFor(transport, { binding: HTTP, mode })
      const event = order()
      const answer = await emit(event, { headers: { authorization: `Bearer ${SERVICE_KEY}` } })
      const { id } = JSON.parse((answer as { body: string }).body) as { id: string } // what httpTransport resolves with; contract §5.1
      expect(await read(id)).toMatchObject({ ...asStored, idempotency_key: event.id })
    }
  })

  test("of version 0.3 is refused by its pointer", async () => {
    const old = new CloudEvent({ specversion: "0.3", type: "t", source: "/s", data: { a: 1 } }, false)
    for (const mode of [HTTP.structured, HTTP.binary]) {
      const response = await post(mode(old))
      expect(response.status).toBe(422)
      expect(await response.json()).toMatchObject({ errors: [{ pointer: "/specversion" }] })
    }
  })
})
