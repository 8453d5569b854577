/**
 * The service worker of push: shows what the hub sends while no page is open, and opens what it is about. It is served at
 * the hub's root, because a worker is told only of what lies below its own address.
 */
import { fields, textOrNull } from "../shared/fields.ts"

/** What this file uses of `ServiceWorkerGlobalScope`, whose library the pages' cannot be loaded beside. */
interface Scope {
  readonly registration: ServiceWorkerRegistration
  readonly clients: {
    matchAll(options: { type: "window"; includeUncontrolled: boolean }): Promise<readonly OpenPage[]>
    openWindow(url: string): Promise<unknown>
  }
  skipWaiting(): Promise<void>
  addEventListener(kind: "install", listener: (event: Lasting) => void): void
  addEventListener(kind: "push", listener: (event: Pushed) => void): void
  addEventListener(kind: "notificationclick", listener: (event: Clicked) => void): void
}
interface OpenPage {
  readonly url: string
  focus(): Promise<unknown>
}
interface Lasting {
  waitUntil(work: Promise<unknown>): void
}
interface Pushed extends Lasting {
  readonly data: { text(): string } | null
}
interface Clicked extends Lasting {
  readonly notification: Notification
}

const scope = globalThis as unknown as Scope // a worker's global scope is one

scope.addEventListener("install", (event) => event.waitUntil(scope.skipWaiting()))
scope.addEventListener("push", (event) => event.waitUntil(show(event.data?.text() ?? "")))
scope.addEventListener("notificationclick", (event) => {
  event.notification.close()
  const url = textOrNull(fields(event.notification.data)?.["url"]) ?? scope.registration.scope
  event.waitUntil(openPage(url))
})

/** A push that shows nothing costs the page its permission, so one that cannot be read says at least that it came. */
function show(json: string): Promise<void> {
  const said = fields(parsed(json))
  const tag = textOrNull(said?.["tag"])
  return scope.registration.showNotification(textOrNull(said?.["title"]) ?? "News from the hub", {
    body: textOrNull(said?.["body"]) ?? "",
    data: { url: textOrNull(said?.["url"]) },
    ...(tag === null ? {} : { tag }),
  })
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}

async function openPage(url: string): Promise<unknown> {
  const open = await scope.clients.matchAll({ type: "window", includeUncontrolled: true })
  return open.find((page) => page.url === url)?.focus() ?? scope.clients.openWindow(url)
}
