/** Asking for a restart: what it means is said first, and the hub's answer in words after. */
import type { Answer, Api } from "../shared/api.ts"
import { el, part } from "../shared/dom.ts"
import type { Actor } from "./picture.ts"
import { restartMeans } from "./words.ts"

/** Resolves when the person has decided. */
export async function confirmed(actor: Actor): Promise<boolean> {
  const dialog = part("confirm", HTMLDialogElement)
  part("confirm-title", HTMLHeadingElement).textContent = `Restart ${actor.name}?`
  part("confirm-means", HTMLDivElement).replaceChildren(...restartMeans(actor).map((said) => el("p", {}, said)))
  dialog.returnValue = "cancel"
  const { promise, resolve } = Promise.withResolvers<boolean>()
  dialog.addEventListener("close", () => resolve(dialog.returnValue === "restart"), { once: true })
  dialog.showModal()
  // Enter does not restart anything by accident.
  part("confirm-no", HTMLButtonElement).focus()
  return await promise
}

/** `worked` is false for every refusal; `said` is a sentence for the person. */
export interface Told {
  readonly worked: boolean
  readonly said: string
}

/** Asks the hub for it. Ends within the deadline of `api`. */
export const restart = async (api: Api, id: string): Promise<Told> =>
  restartWords(await api.call("POST", `admin/actors/${encodeURIComponent(id)}/restart`))

/** The hub's answer in words. */
export function restartWords(answer: Answer): Told {
  const refused = (said: string): Told => ({ worked: false, said })
  switch (answer.kind) {
    case "ok":
      return { worked: true, said: "It was stopped and runs anew." }
    case "refused":
      return refused(`The hub does not take this token any more: ${answer.detail}`)
    case "failed":
      if (answer.status === 0)
        return refused("The hub did not answer: whether it was restarted is not known. Look at its incarnation.")
      if (answer.status === 403) return refused(`Not allowed: ${answer.detail}.`)
      if (answer.status === 404) return refused("There is no such actor any more.")
      // The hub's sentence begins with a word for programs.
      if (answer.status === 409)
        return refused(`Not restarted: ${answer.detail.replace(/^(failed|not_now|root): /, "")}.`)
      return refused(`The hub could not do it (${answer.status}): ${answer.detail}`)
  }
}
