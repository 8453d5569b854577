/**
 * All templates of a rule set, and the choice of one: the channel's own in the reader's locale, the channel's own, the
 * default in the reader's locale, the default.
 */
import type { Channel } from "../domain/channel.ts"
import { escapeHtml, escapeSlack } from "./escape.ts"
import { TemplateEngine } from "./eta-engine.ts"
import type { ErrorList } from "./rule-error.ts"
import { normalLocale, readTemplate, type TemplateFile } from "./template-file.ts"

export interface Template extends TemplateFile {
  readonly use: NonNullable<TemplateFile["use"]>
}

/** How the values in a body are written. */
export type Markup = "html" | "slack" | "plain"

export interface Templates {
  /** Names of the folders, sorted. */
  readonly names: readonly string[]
  readonly count: number
  /** Folders with a file that was refused: what is missing of them was already said. */
  readonly refused: ReadonlySet<string>
  /** The template for a channel and a reader; null: the folder has neither the channel's own nor a default. */
  find(name: string, channel: Channel, locale: string | null): Template | null
  /** The folder's default in the reader's locale; null: it has none. */
  findDefault(name: string, locale: string | null): Template | null
  /** All files that could be chosen for a channel, whatever the locale. */
  variants(name: string, channel: Channel): readonly Template[]
  readonly engines: Readonly<Record<Markup | "link", TemplateEngine>>
}

/** Which markup a template's body is written in; a default is plain text for every channel. */
export function markupOf(channel: Channel | "default"): Markup {
  switch (channel) {
    case "email":
    case "telegram":
      return "html"
    case "slack":
      return "slack"
    case "inapp":
    case "sms":
    case "voice":
    case "push":
    case "default":
      return "plain"
  }
}

/** Reads and compiles all of them. `files`: text by path, each path beginning with a slash. */
export function readTemplates(files: ReadonlyMap<string, string>, errors: ErrorList): Templates {
  const engines = {
    html: new TemplateEngine(escapeHtml),
    slack: new TemplateEngine(escapeSlack),
    plain: new TemplateEngine(String),
    link: new TemplateEngine(encodeURIComponent),
  }
  const read: TemplateFile[] = []
  const refused = new Set<string>()
  for (const [path, text] of files) {
    const file = readTemplate(path, text, errors)
    if (file === null) refused.add(path.split("/")[1] ?? "")
    else read.push(file)
  }
  for (const file of read) for (const engine of Object.values(engines)) engine.define(file.path, file.body)
  checkIncludes(read, new Set(files.keys()), errors)
  const personal = whoeverIncludes(read)
  const byName = Map.groupBy(
    read.flatMap((file) => (file.use === null ? [] : [{ ...file, use: file.use, personal: personal.has(file.path) }])),
    (template) => template.use.name,
  )
  return chooser(byName, engines, read.length, refused)
}

function chooser(
  byName: ReadonlyMap<string, readonly Template[]>,
  engines: Templates["engines"],
  count: number,
  refused: ReadonlySet<string>,
): Templates {
  const chosen = new Map<string, Template | null>()
  const find = (name: string, wanted: readonly (Channel | "default")[], locale: string | null): Template | null => {
    const key = `${name}\n${wanted[0]}\n${locale ?? ""}`
    let template = chosen.get(key)
    if (template === undefined) {
      template = choose(byName.get(name) ?? [], wanted, locale)
      // Locales come from outside; the names are ours.
      if (chosen.size >= MAX_CHOSEN) chosen.clear()
      chosen.set(key, template)
    }
    return template
  }
  return {
    names: [...byName.keys()].sort(),
    count,
    refused,
    engines,
    find: (name, channel, locale) => find(name, [channel, "default"], locale),
    findDefault: (name, locale) => find(name, ["default"], locale),
    variants: (name, channel) =>
      (byName.get(name) ?? []).filter(({ use }) => use.channel === channel || use.channel === "default"),
  }
}

const MAX_CHOSEN = 10_000

function choose(
  templates: readonly Template[],
  wanted: readonly (Channel | "default")[],
  locale: string | null,
): Template | null {
  const locales = [...localeChain(locale), null]
  for (const channel of wanted) {
    for (const language of locales) {
      const found = templates.find(({ use }) => use.channel === channel && use.locale === language)
      if (found !== undefined) return found
    }
  }
  return null
}

/** `ar-IQ` → `ar-iq`, `ar`. */
export function localeChain(locale: string | null): readonly string[] {
  if (locale === null || locale === "") return []
  const parts = normalLocale(locale).split("-")
  return parts.map((_, i) => parts.slice(0, parts.length - i).join("-"))
}

function checkIncludes(read: readonly TemplateFile[], known: ReadonlySet<string>, errors: ErrorList): void {
  for (const { file, includes } of read) {
    for (const { path, line, column } of includes) {
      if (known.has(path)) continue
      const expected = "the path of a file under templates/, such as /_layouts/email"
      errors.add({ file, line, column, problem: `there is no template ${path}`, expected, suggestion: null })
    }
  }
}

/** Paths of the templates whose words depend on the reader, be it through what they include. */
function whoeverIncludes(read: readonly TemplateFile[]): ReadonlySet<string> {
  const personal = new Set(read.filter((file) => file.personal).map((file) => file.path))
  for (let before = -1; before < personal.size; ) {
    before = personal.size
    for (const file of read) if (file.includes.some(({ path }) => personal.has(path))) personal.add(file.path)
  }
  return personal
}
