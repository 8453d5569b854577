/** The button that turns notifications of this browser on and off; it is not there where they cannot be had. */
import type { Api } from "../shared/api.ts"
import { part } from "../shared/dom.ts"
import { fields, textOrNull } from "../shared/fields.ts"
import { notice } from "./notice.ts"

export async function showPush(api: Api): Promise<void> {
  const button = part("push", HTMLButtonElement)
  button.hidden = true
  // Also where the page came neither by https nor from this machine.
  if (!("serviceWorker" in navigator) || !("PushManager" in globalThis)) return
  const answer = await api.call("GET", "v1/push/public-key")
  const key = answer.kind === "ok" ? textOrNull(fields(answer.body)?.["public_key"]) : null
  if (key === null) return
  const worker = await navigator.serviceWorker.register(new URL("push-worker.js", document.baseURI)).catch(() => null)
  if (worker === null) return

  const draw = async (): Promise<void> => {
    const on = (await worker.pushManager.getSubscription()) !== null
    button.textContent = on ? "Turn off notifications" : "Turn on notifications"
    button.setAttribute("aria-pressed", String(on))
    button.disabled = false
  }
  button.onclick = () => {
    button.disabled = true
    void toggle(api, worker, key).then(draw)
  }
  await draw()
  button.hidden = false
}

async function toggle(api: Api, worker: ServiceWorkerRegistration, key: string): Promise<void> {
  const now = await worker.pushManager.getSubscription()
  if (now !== null) {
    // The browser first: whatever the hub says, it is told no more.
    await now.unsubscribe()
    await api.call("DELETE", "v1/push/subscriptions", { endpoint: now.endpoint })
    return
  }
  if ((await Notification.requestPermission()) !== "granted") {
    return notice(
      "This browser was told not to show notifications of the hub. Its settings for this page can change that.",
    )
  }
  const options = { userVisibleOnly: true, applicationServerKey: key }
  const made = await worker.pushManager.subscribe(options).catch(() => null)
  if (made === null) return notice("This browser's push service does not answer. Try again later.")
  const kept = await api.call("POST", "v1/push/subscriptions", made.toJSON())
  if (kept.kind === "ok") return
  await made.unsubscribe()
  notice(`Notifications could not be turned on: ${kept.detail}.`)
}
