/** Replaces pieces of one of the hub's files as it is loaded, and fails loudly where a piece is no longer there. */
import { plugin } from "bun"

/** `more` is put at the end of the file. */
export function patch(file: string, pieces: readonly (readonly [from: string, to: string])[], more = ""): void {
  plugin({
    name: `a bug in ${file}`,
    setup(build) {
      build.onLoad({ filter: new RegExp(`/src/${file.replaceAll(".", "\\.")}$`) }, async ({ path }) => {
        let contents = await Bun.file(path).text()
        for (const [from, to] of pieces) {
          if (!contents.includes(from)) throw new Error(`${file} no longer holds ${from}: mend the mutant`)
          contents = contents.replace(from, () => to)
        }
        return { contents: contents + more, loader: "ts" }
      })
    },
  })
}
