/**
 * `/docs`: one small page of our own that renders `/openapi.json`. It loads nothing from other hosts, and its policy
 * lets nothing but its own two inline parts run.
 */
import { DOCS_HTML, DOCS_SCRIPT, DOCS_STYLE } from "./docs-page.ts"
import { type RouteFile, text } from "./route.ts"

const hash = (part: string): string => `'sha256-${new Bun.CryptoHasher("sha256").update(part).digest("base64")}'`

const POLICY = [
  "default-src 'none'",
  `script-src ${hash(DOCS_SCRIPT)}`,
  `style-src ${hash(DOCS_STYLE)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

const PAGE = DOCS_HTML.replace("{{style}}", () => DOCS_STYLE).replace("{{script}}", () => DOCS_SCRIPT)

export const docsRoutes = (): RouteFile => ({
  routes: [
    {
      method: "GET",
      path: "/docs",
      access: "open",
      doc: null,
      handle: () =>
        text("text/html; charset=utf-8", PAGE, {
          "content-security-policy": POLICY,
          "cache-control": "no-cache",
        }),
    },
  ],
})
