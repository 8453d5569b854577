/** Which routes a path has, whatever the method: for 405, HEAD and preflights, never on the hot path. */
import type { Call, Route } from "./route.ts"

interface Match {
  readonly route: Route
  readonly params: Call["params"]
}

export function pathFinder(routes: readonly Route[]): (path: string) => readonly Match[] {
  const compiled = routes.map((route) => ({ route, pattern: patternOf(route.path) }))
  return (path) =>
    compiled.flatMap(({ route, pattern }) => {
      const found = pattern.exec(path)
      return found === null ? [] : [{ route, params: decoded(found.groups ?? {}) }]
    })
}

function patternOf(path: string): RegExp {
  const parts = path.split("/").map((part) => {
    if (part.startsWith(":")) return `(?<${part.slice(1)}>[^/]+)`
    return part === "*" ? ".*" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  })
  return new RegExp(`^${parts.join("/")}/?$`)
}

function decoded(groups: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, text]) => [name, decode(text)]))
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
