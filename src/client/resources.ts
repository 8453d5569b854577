/** Telling of changed resources, so that the screens that show them hear of it. */
import { type ItemResult, inBatches } from "./batches.ts"
import { type AcceptedEvent, accepted, type PublishOptions } from "./events.ts"
import { newKey } from "./idempotency-key.ts"
import type { Send } from "./transport.ts"

/** One change of one resource. */
export interface ResourceMessage {
  readonly type: "resource_created" | "resource_updated" | "resource_deleted" | "resource_patched"
  readonly resourceType: string
  readonly businessId: string | number
  /** Without it, only those who watch the whole business hear of it. */
  readonly locationId?: string | number | null | undefined
  readonly resourceId: string | number
  readonly shardId?: string | number | null | undefined
  /** A string is RFC 3339. */
  readonly timestamp?: string | Date | undefined
  /** Passed on as it is. */
  readonly data?: object | null | undefined
}

/** `hub.resources`. */
export class Resources {
  readonly #send: Send

  constructor(send: Send) {
    this.#send = send
  }

  /**
   * Tells of one change, or of many in order. It is pushed once it is stored, and once only: a repeat with the same
   * `idempotencyKey` (ASCII) answers `duplicate`. Without one each call is a change of its own, also where an equal one
   * was told before. Rejects as `events.publish` and `events.publishBatch` do.
   */
  notify(message: ResourceMessage, options?: PublishOptions): Promise<AcceptedEvent>
  notify(
    messages: readonly ResourceMessage[],
    options?: PublishOptions,
  ): Promise<readonly ItemResult<"accepted" | "duplicate">[]>
  async notify(
    given: ResourceMessage | readonly ResourceMessage[],
    options: PublishOptions = {},
  ): Promise<AcceptedEvent | readonly ItemResult<"accepted" | "duplicate">[]> {
    const idempotencyKey = options.idempotencyKey ?? newKey()
    // The message has no field for it, and a header carries no more than this.
    if (!/^[\x20-\x7e]+$/.test(idempotencyKey)) throw new TypeError("idempotencyKey: expected printable ASCII")
    const post = (body: string, key: string): Promise<unknown> =>
      this.#send({
        method: "POST",
        path: "/api/notifications",
        headers: { "idempotency-key": key },
        body,
        idempotencyKey,
        options,
      })
    if (!isList(given)) return accepted(await post(JSON.stringify(given), idempotencyKey), idempotencyKey)
    // The hub numbers the messages of each request from 0, so a second request needs a key of its own.
    return inBatches(given, ["accepted", "duplicate"], idempotencyKey, ({ from, body }) =>
      post(body, from === 0 ? idempotencyKey : `${idempotencyKey}:${from}`),
    )
  }
}

/** Array.isArray does not know readonly lists. */
const isList = <T extends object>(given: T | readonly T[]): given is readonly T[] => Array.isArray(given)
