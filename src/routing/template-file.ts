/**
 * One `.eta` file: its name says for which channel and locale, its front matter holds the short texts, the rest is the
 * body. Everything is compiled here, so that a template that cannot work is refused before it is asked for.
 */
import { CHANNELS, type Channel, isChannel } from "../domain/channel.ts"
import { compileTemplate, placeOf, resolveInclude, type TemplateFunction, tagsOf } from "./eta-engine.ts"
import { EVENT_FIELDS } from "./facts.ts"
import { type Node, YamlFile } from "./language/yaml-file.ts"
import { type ErrorList, oneOf, rightWord, shown } from "./rule-error.ts"

/** The short texts of front matter. */
const FRONT_KEYS = ["title", "subject", "action_url", "action_label"] as const
export type FrontKey = (typeof FRONT_KEYS)[number]

export interface TemplateFile {
  /** `templates/invoice.overdue/email.ar.eta` */
  readonly file: string
  /** As `include` names it: `/invoice.overdue/email.ar.eta`. */
  readonly path: string
  /** Null: a layout or partial, never rendered by itself. */
  readonly use: { readonly name: string; readonly channel: Channel | "default"; readonly locale: string | null } | null
  readonly front: Readonly<Partial<Record<FrontKey, TemplateFunction>>>
  readonly body: TemplateFunction
  /** Its words depend on who reads them, so far as can be seen; others are the same for all readers of a locale. */
  readonly personal: boolean
  /** Paths that it includes, with the place of the tag. */
  readonly includes: readonly { readonly path: string; readonly line: number; readonly column: number }[]
}

const USES: readonly string[] = [...CHANNELS, "default"]
const LOCALE = /^[a-z]{2,3}(?:-[a-z0-9]{2,8})*$/

/** `ar_IQ` and `AR-iq` are one locale: `ar-iq`. */
export const normalLocale = (locale: string): string => locale.replaceAll("_", "-").toLowerCase()

/** Reads a template; null where something in it was refused. `path` begins with a slash and stands below `templates`. */
export function readTemplate(path: string, text: string, errors: ErrorList): TemplateFile | null {
  const before = errors.count
  const file = `templates${path}`
  const reader = new TemplateReader(file, path, errors)
  const use = reader.use()
  const { yaml, bodyAt } = frontMatter(text)
  const front = yaml === null ? {} : reader.front(yaml)
  const bodyText = text.slice(bodyAt)
  const line = placeOf(text, bodyAt).line
  const body = reader.compile(bodyText, { line, column: 1 }, use !== undefined && use !== null)
  if (errors.count > before || body === null || use === undefined) return null
  return { file, path, use, front, body, personal: reader.personal, includes: reader.includes }
}

/** The YAML between two lines of `---` at the top, and where the body begins. */
function frontMatter(text: string): { readonly yaml: string | null; readonly bodyAt: number } {
  const start = /^\ufeff?---[ \t]*\r?\n/.exec(text)
  if (start === null) return { yaml: null, bodyAt: 0 }
  const end = /^---[ \t]*(?:\r?\n|$)/m.exec(text.slice(start[0].length))
  if (end === null) return { yaml: null, bodyAt: 0 }
  const yaml = text.slice(start[0].length, start[0].length + end.index)
  return { yaml, bodyAt: start[0].length + end.index + end[0].length }
}

class TemplateReader {
  personal = false
  readonly includes: { readonly path: string; readonly line: number; readonly column: number }[] = []
  readonly #file: string
  readonly #path: string
  readonly #errors: ErrorList
  readonly #roots: readonly string[]

  constructor(file: string, path: string, errors: ErrorList, roots: readonly string[] = Object.keys(DATA)) {
    this.#file = file
    this.#path = path
    this.#errors = errors
    this.#roots = roots
  }

  #refuse(place: Place, problem: string, expected: string | null = null, suggestion: string | null = null): void {
    this.#errors.add({ file: this.#file, line: place.line, column: place.column, problem, expected, suggestion })
  }

  /** What the path says the file is for; undefined: it was refused. */
  use(): TemplateFile["use"] | undefined {
    const parts = this.#path.slice(1).split("/")
    const [name, fileName] = parts
    if (name?.startsWith("_")) return null
    if (name === undefined || fileName === undefined || parts.length > 2) {
      this.#refuse(
        TOP,
        "a template in the wrong place",
        "templates/<name>/<channel>.eta; layouts and partials below a folder that begins with _",
      )
      return undefined
    }
    const [channel = "", locale, ...more] = fileName.slice(0, -".eta".length).split(".")
    const known = channel === "default" || isChannel(channel) ? channel : null
    if (known === null) {
      this.#refuse(TOP, `unknown channel ${shown(channel)}`, oneOf(USES), rightWord(channel, USES, { in_app: "inapp" }))
      return undefined
    }
    if (more.length > 0 || (locale !== undefined && !LOCALE.test(normalLocale(locale)))) {
      this.#refuse(TOP, `the file name ${shown(fileName)}`, `${channel}.eta or ${channel}.<locale>.eta`)
      return undefined
    }
    return { name, channel: known, locale: locale === undefined ? null : normalLocale(locale) }
  }

  front(text: string): TemplateFile["front"] {
    if (text.trim() === "") return {}
    const yaml = new YamlFile(this.#file, text, this.#errors, 2)
    if (yaml.root === null) return {}
    const fields = yaml.fields(yaml.root, {
      of: "front matter",
      known: FRONT_KEYS,
      oldSpellings: { url: "action_url", link: "action_url", label: "action_label" },
    })
    const front: Partial<Record<FrontKey, TemplateFunction>> = {}
    for (const key of FRONT_KEYS) {
      const field = fields?.get(key)
      if (field === undefined) continue
      const compiled = compileField(yaml, field.value, key === "action_url", this)
      if (compiled !== null) front[key] = compiled
    }
    return front
  }

  /** Compiles a text that begins at `start`; null where it was refused. */
  compile(text: string, start: Place, closed: boolean, link = false): TemplateFunction | null {
    const compiled = compileTemplate(text, link)
    if ("error" in compiled) {
      this.#refuse(behind(start, compiled.error), compiled.error.problem)
      return null
    }
    this.#look(text, start, closed)
    return compiled.ok
  }

  /** Reads the code for names that do not exist; what it cannot see (computed names) is found at render. */
  #look(text: string, start: Place, closed: boolean): void {
    for (const { kind, code, at } of tagsOf(text)) {
      if (PERSONAL.test(code)) this.personal = true
      const place = behind(start, placeOf(text, at))
      // What is included by a computed name cannot be looked into.
      if (/\b(?:include|layout)\(\s*[^"'`\s]/.test(code)) this.personal = true
      for (const [, , , path] of code.matchAll(/\b(include|layout)\(\s*(["'`])([^"'`$]+)\2/g)) {
        if (path !== undefined) this.includes.push({ path: resolveInclude(path, this.#path), ...place })
      }
      const bare = kind === "code" ? null : bareName(code, text)
      if (bare !== null)
        this.#refuse(place, `the variable ${shown(bare)}`, `it. and ${oneOf(this.#roots)}`, `it.${bare}`)
      for (const [, root = "", field] of code.matchAll(/\bit\s*\??\.\s*([\w$]+)(?:\s*\??\.\s*([\w$]+))?/g)) {
        const wrong = dataProblem(root, field, closed, this.#roots)
        if (wrong !== null) this.#refuse(place, wrong.problem, wrong.expected, wrong.suggestion)
      }
    }
  }
}

/** Words about the reader, links of the reader's own, or all that there is. */
const PERSONAL = /\brecipient\b|\blinks\b(?!\s*\??\.\s*action\b)|\bit\b(?!\s*\??\.)/

interface Place {
  readonly line: number
  readonly column: number
}

const TOP: Place = { line: 1, column: 1 }

/** A place within a text that itself begins at `start`. */
const behind = (start: Place, { line, column }: Place): Place => ({
  line: start.line + line - 1,
  column: line === 1 ? start.column + column - 1 : column,
})

/** Compiles an Eta string that stands in YAML, in front matter or in a rule; null where it was refused. */
export function compileField(
  yaml: YamlFile,
  node: Node,
  link: boolean,
  reader: TemplateReader,
): TemplateFunction | null {
  const text = yaml.text(node, "a text (numbers in quotes)", 2_000)
  return text === null ? null : reader.compile(text, yaml.position(node), true, link)
}

/**
 * A reader for Eta strings outside of templates: a rule's own `action_url`, `action_label`, `data`. `roots`: what there
 * is behind `it.`, where it is not all.
 */
export const fieldReader = (yaml: YamlFile, errors: ErrorList, roots?: readonly string[]): TemplateReader =>
  new TemplateReader(yaml.file, `/${yaml.file}`, errors, roots)

export type { TemplateReader }

/** What templates see, by name; null: anything goes behind it. */
const DATA: Readonly<Record<string, readonly string[] | null>> = {
  event: EVENT_FIELDS,
  payload: null,
  events: null,
  recipient: ["id", "name", "locale", "timezone"],
  links: ["action", "preferences", "unsubscribe", "acknowledge"],
}

/** A name of ours that a printed tag begins with, without its `it.`; null where the template itself made that name. */
function bareName(code: string, text: string): string | null {
  const name = /^\s*(\w+)\s*(?:\?\.|\.|\[)/.exec(code)?.[1]
  if (name === undefined || !Object.hasOwn(DATA, name)) return null
  const made = new RegExp(
    `\\b(?:const|let|var)\\b[^=;]*\\b${name}\\b|\\b${name}\\b[^()%]*\\)?\\s*=>|\\bfunction\\b[^{]*\\b${name}\\b`,
  )
  return made.test(text) ? null : name
}

/** `closed`: only what the hub gives; layouts and partials are handed more by whoever includes them. */
function dataProblem(root: string, field: string | undefined, closed: boolean, known: readonly string[]) {
  if (!known.includes(root)) {
    return closed
      ? {
          problem: `the variable ${shown(`it.${root}`)}`,
          expected: `it. and ${oneOf(known)}`,
          suggestion: prefixed("it.", rightWord(root, known) ?? "payload"),
        }
      : null
  }
  const fields = DATA[root] ?? null
  if (fields === null || field === undefined || fields.includes(field)) return null
  return {
    problem: `the variable ${shown(`it.${root}.${field}`)}`,
    expected: `it.${root}. and ${oneOf(fields)}`,
    suggestion: prefixed(`it.${root}.`, rightWord(field, fields)),
  }
}

const prefixed = (prefix: string, word: string | null): string | null => (word === null ? null : prefix + word)
