/** Sentences with what is meant literally in them, as elements. */
import { el } from "../shared/dom.ts"
import type { Said } from "./action-words.ts"

export const said = (words: Said): readonly Node[] =>
  words.map((part) =>
    typeof part === "string" ? document.createTextNode(part) : el("code", { dir: "auto" }, part.code),
  )
