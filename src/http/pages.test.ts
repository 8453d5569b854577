import { afterAll, beforeAll, expect, test } from "bun:test"
import { builtPages } from "../../scripts/pages.ts"
import { type Front, startFront } from "../testing/front.ts"
import { pageRoutes } from "./pages.ts"

let front: Front
beforeAll(async () => {
  const pages = await builtPages()
  front = await startFront(() => [pageRoutes(pages)])
})
afterAll(() => front.stop())

test("the test page is open to everyone, runs nothing inline, and is asked for again only when it changed", async () => {
  const page = await front.call("/test", { key: null })
  expect(page.status).toBe(200)
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8")
  expect(page.headers.get("content-security-policy")).toContain("script-src 'self';")
  const html = await page.text()
  expect(html).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|style=/)
  const etag = page.headers.get("etag") ?? ""
  const again = await front.call("/test", { key: null, headers: { "if-none-match": etag } })
  expect([again.status, await again.text()]).toEqual([304, ""])
})

test("what the page loads is beside it, relative, never from another host, and kept for ever", async () => {
  const html = await (await front.call("/test", { key: null })).text()
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)]
    .map(([, link]) => link ?? "")
    // Other pages, and places on this one.
    .filter((link) => !/^(\.\/\w*|#[\w-]+)$/.test(link))
  expect(links.length).toBeGreaterThanOrEqual(3)
  for (const link of links) {
    expect(link).toStartWith("./assets/")
    const file = await front.call(`/${link.slice(2)}`, { key: null })
    expect(file.status).toBe(200)
    expect(file.headers.get("cache-control")).toBe("public, max-age=31536000, immutable")
    expect(file.headers.get("x-content-type-options")).toBe("nosniff")
    expect(await file.text()).not.toMatch(/url\(["']?https?:/)
  }
  const icon = await front.call("/favicon.ico", { key: null })
  expect(icon.headers.get("content-type")).toBe("image/svg+xml")
})

test("the service worker of push stands at the root, and is asked for again when it may have changed", async () => {
  const worker = await front.call("/push-worker.js", { key: null })
  expect(worker.status).toBe(200)
  expect(worker.headers.get("content-type")).toBe("text/javascript; charset=utf-8")
  expect(worker.headers.get("cache-control")).toBe("no-cache")
  expect(await worker.text()).toContain("showNotification")
})

test("a file that no page has is not found, whatever its name", async () => {
  for (const name of ["x.js", "..%2f..%2fpackage.json", "%2e%2e/test-page.html"]) {
    expect((await front.call(`/assets/${name}`, { key: null })).status).toBe(404)
  }
})

test("where mails are shown a page may be styled inline, because they are, and elsewhere not; scripts stay the page's own", async () => {
  const policyOf = async (path: string) =>
    (await front.call(path, { key: null })).headers.get("content-security-policy") ?? ""
  for (const path of ["/outbox", "/rules"])
    expect(await policyOf(path)).toContain("script-src 'self'; style-src 'self' 'unsafe-inline';")
  expect(await policyOf("/test")).toContain("style-src 'self';")
})
