/** The lists of deliberate differences in `src/realtime/README.md`, as the test of the golden transcript reads them. */

/** In one place of the transcript, a piece of a line that stands otherwise here; `here` empty: it is not there. */
export interface Difference {
  readonly place: string
  readonly phoenix: string
  readonly here: string
}

/** The rows of the table below a heading, cells without their backticks. */
function rows(readme: string, heading: string): readonly (readonly string[])[] {
  const [, after = ""] = readme.split(`\n## ${heading}\n`)
  const [section = ""] = after.split("\n## ")
  const lines = section.split("\n").filter((line) => line.startsWith("|"))
  if (lines.length < 3) throw new Error(`no table below "${heading}"`)
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) =>
        cell
          .trim()
          .replace(/^(`+)(.*)\1$/, "$2")
          .replaceAll("\\|", "|"),
      ),
  )
}

/** What the transcript shows otherwise. */
export const differences = (readme: string): readonly Difference[] =>
  rows(readme, "Where the transcript shows something else").map(([place = "", phoenix = "", here = ""]) => ({
    place,
    phoenix,
    here: here === "nothing" ? "" : here,
  }))

/** What no transcript shows, with the test that does. */
export const shownElsewhere = (readme: string): readonly { readonly file: string; readonly title: string }[] =>
  rows(readme, "Where no transcript was there to show it").map(([, , , shown = ""]) => {
    const [file = "", title = ""] = shown.replaceAll("`", "").split(": ")
    return { file, title }
  })

/** The transcript's lines as they are to be here. `used` hears of each row that made a difference. */
export function expectedLines(
  listed: readonly Difference[],
  place: string,
  lines: readonly string[],
  used: (row: Difference) => void,
): readonly string[] {
  const own = listed.filter((row) => row.place === place || row.place === "all")
  return lines.flatMap((line) => {
    let text = line
    for (const row of own) {
      if (!text.includes(row.phoenix)) continue
      used(row)
      text = text.replace(row.phoenix, row.here)
    }
    return text === "" ? [] : [text]
  })
}
