/** Lists, page by page or item by item, so that nobody writes the loop over `after` again. */
import { HubUnexpectedAnswer } from "./errors.ts"

export interface PageInfo {
  /** Where the next page begins; null where none follows. */
  readonly after: string | null
  readonly has_more: boolean
}

/** As the hub answers. */
export interface Page<T> {
  readonly data: readonly T[]
  readonly page_info: PageInfo
}

/**
 * A list that is read as one goes: `for await (const item of list)`. Nothing is asked before that. What arrives
 * meanwhile at the newest end is not seen; nothing else is skipped or repeated.
 */
export class Listing<T, P extends Page<T> = Page<T>> implements AsyncIterable<T> {
  readonly #read: (after: string | undefined) => Promise<P>

  constructor(read: (after: string | undefined) => Promise<P>) {
    this.#read = read
  }

  /** One page: the first, or the one after `page_info.after` of another. */
  page(after?: string): Promise<P> {
    return this.#read(after)
  }

  /** Page by page to the end. */
  async *pages(): AsyncGenerator<P, void, undefined> {
    let after: string | undefined
    for (;;) {
      const page = await this.#read(after)
      yield page
      const { has_more, after: next } = page.page_info
      if (!has_more) return
      if (next === null || next === after)
        throw new HubUnexpectedAnswer("the list does not go on", { tries: 1, idempotencyKey: undefined })
      after = next
    }
  }

  /** Item by item to the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const page of this.pages()) yield* page.data
  }
}
