/** The process itself: memory, processor time, and how late the event loop runs, under the names that dashboards know. */
import type { Clock, Timer } from "../runtime/clock.ts"
import type { Registry } from "./registry.ts"

const lagEveryMs = 500

/** Registers the process's gauges and starts measuring the event loop. Returns the way to stop that. */
export function processMetrics(registry: Registry, clock: Clock): () => void {
  const startedAt = Math.round(clock.wall().getTime() / 1_000 - process.uptime())
  registry.gauge("process_start_time_seconds", "When the process started, Unix time", () => startedAt)
  registry.gauge("process_resident_memory_bytes", "Memory the process holds", () => process.memoryUsage.rss())
  registry.gauge("process_heap_bytes", "JavaScript heap in use", () => process.memoryUsage().heapUsed)
  registry.gauge("process_uptime_seconds", "Age of the process", () => process.uptime())
  registry.gauge("process_cpu_seconds", "Processor time used so far, by kind", () => {
    const { user, system } = process.cpuUsage()
    return [
      { labels: { mode: "user" }, value: user / 1_000_000 },
      { labels: { mode: "system" }, value: system / 1_000_000 },
    ]
  })

  let worst = 0
  let timer: Timer
  const measure = () => {
    const due = clock.now() + lagEveryMs
    timer = clock.after(lagEveryMs, () => {
      worst = Math.max(worst, clock.now() - due)
      measure()
    })
  }
  measure()
  registry.gauge("hub_event_loop_lag_seconds", "Worst delay of a timer since the last scrape", () => {
    const seconds = worst / 1_000
    worst = 0
    return seconds
  })
  return () => timer.cancel()
}
