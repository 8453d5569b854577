/**
 * The hub's pages, as `scripts/pages.ts` built them: in memory from the start, served with a policy that lets nothing
 * run but the page's own files. URLs in them are relative, so a path prefix in front of the hub changes nothing.
 */
import { extname } from "node:path"
import { problem } from "./problem.ts"
import type { Call, Route, RouteFile } from "./route.ts"

interface Served {
  readonly body: Buffer<ArrayBuffer>
  readonly headers: Readonly<Record<string, string>>
}

/** A mail is styled inline, and its frame inherits the policy of the page around it: there inline styles, no scripts. */
const INLINE_STYLES: ReadonlySet<string> = new Set(["outbox", "rules"])

const policyOf = (page: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self'${INLINE_STYLES.has(page) ? " 'unsafe-inline'" : ""}`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ")

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
}

/** Folders of `src/web` whose address is not their name. */
const ADDRESSES: Readonly<Record<string, string>> = { home: "/", "test-page": "/test" }

const ASSETS = "assets/"
/** At the root, because a service worker is told only of what lies below its own address. */
const PUSH_WORKER = "push-worker.js"

/** Routes for every built page, and for what they load. `built`: content by path, `home.html` or `assets/x.js`. */
export function pageRoutes(built: ReadonlyMap<string, Buffer<ArrayBuffer>>): RouteFile {
  const routes: Route[] = []
  const open = (path: string, handle: Route["handle"]): void => {
    routes.push({ method: "GET", path, access: "open", doc: null, handle })
  }
  const assets = new Map<string, Served>()
  for (const [path, body] of built) {
    if (path.startsWith(ASSETS)) {
      // Their names change with their content.
      const asset = served(path, body, { "cache-control": "public, max-age=31536000, immutable" })
      assets.set(path.slice(ASSETS.length), asset)
    } else if (path === PUSH_WORKER) {
      const worker = served(path, body, { "cache-control": "no-cache" })
      open(`/${PUSH_WORKER}`, (call) => serve(worker, call))
    } else if (extname(path) === ".html") {
      const name = path.slice(0, -".html".length)
      const page = served(path, body, { "cache-control": "no-cache", "content-security-policy": policyOf(name) })
      open(ADDRESSES[name] ?? `/${name}`, (call) => serve(page, call))
    }
  }
  // A delivery's own address, as people write it; its page reads the query.
  open("/deliveries/:id", ({ params }) => redirected(`../deliveries?id=${encodeURIComponent(params["id"] ?? "")}`))
  const notFound = () => problem("not_found", "no page has such a file")
  open("/assets/:file", (call) => {
    const asset = assets.get(call.params["file"] ?? "")
    return asset === undefined ? notFound() : serve(asset, call)
  })
  const icon = [...assets].find(([file]) => file.startsWith("favicon-") && file.endsWith(".svg"))?.[1]
  open("/favicon.ico", (call) => (icon === undefined ? notFound() : serve(icon, call)))
  return { routes }
}

function served(path: string, body: Buffer<ArrayBuffer>, headers: Readonly<Record<string, string>>): Served {
  const etag = `"${new Bun.CryptoHasher("sha256").update(body).digest("base64url").slice(0, 22)}"`
  return { body, headers: { ...headers, etag, "content-type": TYPES[extname(path)] ?? "application/octet-stream" } }
}

/** To a place relative to the one asked for, so that a path prefix stays; a fragment goes along. */
const redirected = (location: string): Response => new Response(null, { status: 302, headers: { location } })

function serve({ body, headers }: Served, { request }: Call): Response {
  const known = request.headers
    .get("if-none-match")
    ?.split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""))
  const same = known?.includes(headers["etag"] ?? "") === true
  return same ? new Response(null, { status: 304, headers }) : new Response(body, { headers })
}
