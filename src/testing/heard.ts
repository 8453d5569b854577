// Telemetry that a test can wait for: "when three deliveries have been settled", instead of sleeping.
import type { Emitter } from "../telemetry/bus.ts"
import type { TelemetryEvent, TelemetryKind } from "../telemetry/events.ts"

type Of<K extends TelemetryKind> = Extract<TelemetryEvent, { kind: K }>

export interface Heard extends Emitter {
  of<K extends TelemetryKind>(kind: K): readonly Of<K>[]
  /** Resolves with all of a kind as soon as `n` of them pass `wanted`. */
  waitFor<K extends TelemetryKind>(kind: K, n: number, wanted?: (event: Of<K>) => boolean): Promise<readonly Of<K>[]>
  clear(): void
}

export function heard(): Heard {
  let events: TelemetryEvent[] = []
  let waiting: { readonly ready: () => boolean; readonly done: () => void }[] = []
  const of = <K extends TelemetryKind>(kind: K): readonly Of<K>[] =>
    events.filter((event): event is Of<K> => event.kind === kind)
  return {
    of,
    emit(event) {
      events.push(event)
      const ready = waiting.filter((one) => one.ready())
      waiting = waiting.filter((one) => !ready.includes(one))
      for (const one of ready) one.done()
    },
    async waitFor<K extends TelemetryKind>(kind: K, n: number, wanted: (event: Of<K>) => boolean = () => true) {
      const ready = (): boolean => of(kind).filter(wanted).length >= n
      if (!ready()) {
        const { promise, resolve } = Promise.withResolvers<void>()
        waiting.push({ ready, done: resolve })
        await promise
      }
      return of(kind)
    },
    clear() {
      events = []
    },
  }
}
