/** Lists of recipients, which rules can name: `to: { lists: [vip] }`. */
import { Listing } from "./listing.ts"
import { deleted } from "./recipients.ts"
import { type CallOptions, path, type Send } from "./transport.ts"

export interface ListSummary {
  readonly list: string
  readonly members: number
}

export interface ListMember {
  readonly recipient_id: string
  /** RFC 3339. */
  readonly added_at: string
}

/** Whose lists. Default: the key's only business, else `default`. */
export interface ListPlace {
  readonly business_id?: string | undefined
}

export interface ListFilter extends ListPlace {
  /** Items a page, 1 to 200. Default: 50. */
  readonly limit?: number | undefined
}

/** `hub.lists`. */
export class Lists {
  readonly #send: Send

  constructor(send: Send) {
    this.#send = send
  }

  /** Those that somebody is on, by name. */
  list(filter: ListFilter = {}, options?: CallOptions): Listing<ListSummary> {
    return new Listing((after) =>
      this.#send({ method: "GET", path: "/v1/lists", query: { ...filter, after }, options }),
    )
  }

  /** Who is on it, by id. */
  members(list: string, filter: ListFilter = {}, options?: CallOptions): Listing<ListMember> {
    return new Listing((after) =>
      this.#send({ method: "GET", path: path`/v1/lists/${list}/members`, query: { ...filter, after }, options }),
    )
  }

  /** Puts a recipient of the business on it, once. Rejects with `HubProblem` `not_found` where there is none. */
  async add(list: string, recipient: string, place: ListPlace = {}, options?: CallOptions): Promise<ListMember> {
    const where = path`/v1/lists/${list}/members/${recipient}`
    return this.#send({ method: "PUT", path: where, query: { ...place }, options })
  }

  /** Takes one off it. Rejects with `HubProblem` `not_found` where they were not on it. */
  async remove(list: string, recipient: string, place: ListPlace = {}, options?: CallOptions): Promise<void> {
    const where = path`/v1/lists/${list}/members/${recipient}`
    await deleted(this.#send({ method: "DELETE", path: where, query: { ...place }, options }))
  }
}
