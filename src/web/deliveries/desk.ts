/** What both views of the page are given. */
import type { Answer, Api } from "../shared/api.ts"

export interface Desk {
  readonly api: Api
  readonly desk: HTMLElement
  /** True where the answer shuts the page: there is nothing more to show. */
  readonly refused: (answer: Answer) => boolean
  readonly signal: AbortSignal
}

/** What the page shows. */
export interface View {
  load(): Promise<void>
  changed(ids: readonly string[]): void
}

export const timelineOf = (id: string): string => `./deliveries?id=${encodeURIComponent(id)}`
