// What a tree of supervisors must do, written from supervisor.erl and from the list of differences in ../runtime/README.md,
// and from nothing else. Here nothing takes time and nothing runs beside anything: what a supervisor has to hear waits in
// one mailbox, oldest first, and is dealt with at once, starts and stops included. The same scenario always has the same
// outcome.

import type { BackoffPlan, Plan, PoolPlan, Reason, SupervisorPlan, WorkerPlan } from "./supervisor-plans.ts"
import type { Rules } from "./supervisor-rules.ts"

export type Started = "ok" | "ignored" | "failed"

export interface Child {
  readonly plan: Plan
  readonly parent: Supervisor
  readonly order: number
  /** Named in its supervisor's plan, so that the next incarnation of that one has it again. */
  readonly fixed: boolean
  state: "running" | "stopped" | "ignored" | "restarting" | "backoff"
  incarnation: number
  restarts: number
  failures: number
  readyAt: number | undefined
  /** It ended by itself, which its supervisor has not heard yet. */
  unheard: boolean
  below: Supervisor | undefined
}

export interface Supervisor extends Pick<SupervisorPlan, "strategy" | "autoShutdown"> {
  readonly plan: SupervisorPlan | PoolPlan
  readonly self: Child | undefined
  children: Child[]
  crashes: number[]
  alive: boolean
  /** To be restarted together, not before a time: those from an order on, but for some that are left as they are. */
  group: { readonly from: number; readonly notBefore: number; readonly left: Child[] } | undefined
  nextOrder: number
}

/** What a pool is, as a supervisor; its children come later. */
const POOL = { strategy: "one_for_one", autoShutdown: "never", children: [] } as const

/** Supervisors and their children, with a clock of their own that stands still unless it is told. */
export function supervisorModel(rules: Rules) {
  let now = 0
  const log: string[] = []
  let atOnce = false
  const mail: (() => void)[] = []
  const timers: { readonly at: number; readonly ring: () => void }[] = []
  const starts = new Map<string, number>()
  const incarnations = new Map<string, number>()
  const budgets = new Map<string, number[]>()

  function supervise(plan: SupervisorPlan | PoolPlan, self: Child | undefined): Supervisor {
    const crashes = rules.newSupervisorHasNewBudget ? [] : (budgets.get(plan.id) ?? [])
    budgets.set(plan.id, crashes)
    const { strategy, autoShutdown, children } = plan.kind === "pool" ? POOL : plan
    const fresh = { children: [], crashes, alive: true, group: undefined, nextOrder: 0 }
    const sup: Supervisor = { plan, self, strategy, autoShutdown, ...fresh }
    for (const child of children) add(sup, child, true)
    return sup
  }

  function add(parent: Supervisor, plan: Plan, fixed: boolean): Child {
    const fresh = { incarnation: 0, restarts: 0, failures: 0, readyAt: undefined, unheard: false, below: undefined }
    const child: Child = { plan, parent, order: parent.nextOrder++, fixed, state: "stopped", ...fresh }
    parent.children.push(child)
    return child
  }

  /** The numbers of fixed names count on for ever, those of others go with their child. */
  function remove(child: Child): void {
    child.parent.children = child.parent.children.filter((other) => other !== child)
    if (!child.fixed || !rules.fixedNamesCountOn) incarnations.delete(child.plan.id)
  }

  // ── start_children and terminate_children ──────────────────────────────────────────────────────────────────────────

  function start(child: Child): Started {
    const { plan } = child
    child.incarnation = (incarnations.get(plan.id) ?? 0) + 1
    incarnations.set(plan.id, child.incarnation)
    const outcome = plan.kind === "worker" ? startWorker(plan) : startBelow(supervise(plan, child))
    child.state = outcome === "failed" ? "stopped" : outcome === "ok" ? "running" : "ignored"
    if (outcome === "ok") child.readyAt = now
    log.push(`${{ ok: "+", ignored: "~", failed: "x" }[outcome]}${plan.id}`)
    if (outcome === "ignored" && (plan.restart === "temporary" || child.parent.plan.kind === "pool")) remove(child)
    return outcome
  }

  function startWorker({ id, starts: outcomes }: WorkerPlan): Started {
    const before = starts.get(id) ?? 0
    starts.set(id, before + 1)
    const outcome = outcomes[before] ?? "ok"
    return outcome === "ok" ? "ok" : outcome === "ignore" ? "ignored" : "failed"
  }

  /** In order; when one fails, those that run are stopped in reverse: unless it has a backoff, then it is tried again. */
  function startBelow(sup: Supervisor): Started {
    if (sup.self !== undefined) sup.self.below = sup
    for (const child of [...sup.children]) {
      if (start(child) !== "failed") continue
      if (child.plan.backoff === undefined) {
        end(sup)
        return "failed"
      }
      if (sup.strategy !== "one_for_one") {
        // Those after it wait for it. The supervisor is up, and does the rest beside what its parent does next.
        atOnce = true
        mail.push(() => sup.alive && again(child))
        return "ok"
      }
      again(child)
    }
    return "ok"
  }

  function stop(child: Child): void {
    if (child.below !== undefined) end(child.below)
    if (child.state === "running") log.push(`-${child.plan.id}`)
    child.state = "stopped"
    child.unheard = false
  }

  /** The supervisor and all below it. */
  function end(sup: Supervisor): void {
    sup.alive = false
    for (const child of rules.stopsInReverse ? [...sup.children].reverse() : [...sup.children]) stop(child)
    for (const child of sup.children) if (!child.fixed) remove(child)
    sup.children = []
    if (sup.self !== undefined) sup.self.below = undefined
  }

  // ── {'EXIT', Pid, Reason}: do_restart, add_restart, restart, do_auto_shutdown ──────────────────────────────────────

  function exited(child: Child, reason: Reason): void {
    const { plan, parent } = child
    if (!parent.alive || !child.unheard) return
    child.unheard = false
    const calm = reason === "normal" || (reason === "shutdown" && rules.transientStaysDownAfterShutdown)
    const temporary = plan.restart === "temporary"
    if (plan.restart === "permanent" || (temporary ? !rules.temporaryIsNotRestarted : !calm)) {
      again(child)
      return
    }
    if (temporary || (parent.plan.kind === "pool" && rules.calmPoolChildIsForgotten)) remove(child)
    autoShutdown(child)
  }

  function autoShutdown({ plan, parent }: Child): void {
    if (parent.autoShutdown === "never" || !plan.significant) return
    const up = (child: Child): boolean => child.unheard || (child.state !== "stopped" && child.state !== "ignored")
    const last = !parent.children.some((child) => child.plan.significant && up(child))
    if (parent.autoShutdown === "any_significant" || (last && rules.lastSignificantEndsTheSupervisor)) giveUp(parent)
  }

  /** It stops all below and ends, which its own supervisor hears as `shutdown`. */
  function giveUp(sup: Supervisor): void {
    end(sup)
    if (sup.self === undefined) log.push(`!${sup.plan.id}`)
    else die(sup.self, "shutdown")
  }

  /** It ends by itself; its supervisor hears of it in turn. */
  function die(child: Child, reason: Reason): void {
    log.push(`!${child.plan.id}`)
    child.state = "stopped"
    child.unheard = true
    mail.push(() => exited(child, reason))
  }

  function again(child: Child, counts = true): void {
    const { parent, plan } = child
    child.restarts++
    child.state = "restarting"
    const free = (plan.backoff !== undefined && rules.backoffIsFree) || !counts
    if (!free && !mayRestart(parent)) {
      giveUp(parent)
      return
    }
    const notBefore = now + (plan.backoff === undefined ? 0 : delay(child, plan.backoff))
    if (parent.strategy !== "one_for_one") restartGroup(child, notBefore)
    else if (plan.backoff === undefined) launch(child)
    else {
      const { restarts } = child
      child.state = "backoff"
      remindAt(notBefore, () => {
        if (parent.alive && child.state === "backoff" && child.restarts === restarts) launch(child)
      })
    }
  }

  function mayRestart({ plan: { periodMs, intensity }, crashes }: Supervisor): boolean {
    const since = rules.windowEdgeCounts ? now - periodMs : now - periodMs + 1
    crashes.splice(0, crashes.length, ...crashes.filter((at) => at >= since), now)
    return crashes.length <= (rules.oneMoreThanAllowedIsTheEnd ? intensity : intensity + 1)
  }

  function delay(child: Child, { minMs, maxMs, resetAfterMs }: BackoffPlan): number {
    const well = child.readyAt !== undefined && now - child.readyAt >= resetAfterMs
    if (well && rules.backoffForgetsAfterHealth) child.failures = 0
    child.readyAt = undefined
    child.failures++
    return Math.min(maxMs, minMs * 2 ** (child.failures - 1))
  }

  function launch(child: Child): void {
    if (start(child) === "failed") tryAgain(child)
  }

  /** As a message of the supervisor to itself, so that whatever came before is heard before. */
  function tryAgain(child: Child): void {
    child.state = "restarting"
    mail.push(() => {
      if (child.parent.alive && child.state === "restarting") again(child, rules.failedStartsCount)
    })
  }

  /** Crashes of one moment are all heard before the one restart that follows from them. */
  function restartGroup({ parent, order }: Child, notBefore: number): void {
    const from = parent.strategy === "one_for_all" || !rules.restForOneSparesEarlier ? 0 : order
    const { group } = parent
    parent.group = {
      from: Math.min(from, group?.from ?? from),
      notBefore: Math.max(notBefore, group?.notBefore ?? notBefore),
      left: [],
    }
    if (rules.crashesOfOneMomentAllCount) mail.push(() => stopGroup(parent))
    else stopGroup(parent)
  }

  function stopGroup(sup: Supervisor): void {
    const { group } = sup
    if (!sup.alive || group === undefined) return
    for (const child of sup.children.filter(({ order }) => order >= group.from).reverse()) {
      if (!rules.restingSiblingsComeBackWithTheGroup && child.state === "stopped") group.left.push(child)
      const ran = child.state === "running"
      stop(child)
      if (child.plan.restart === "temporary" && rules.temporaryBystanderIsForgotten) remove(child)
      else if (group.notBefore > now) child.state = "backoff"
      if (ran && !rules.stoppedSignificantDoesNotCount) autoShutdown(child)
    }
    if (group.notBefore <= now) startGroup(sup)
    else remindAt(group.notBefore, () => sup.group === group && startGroup(sup))
  }

  function startGroup(sup: Supervisor): void {
    const { group } = sup
    if (!sup.alive || group === undefined) return
    sup.group = undefined
    for (const child of sup.children.filter((child) => child.order >= group.from && !group.left.includes(child))) {
      if (start(child) !== "failed") continue
      tryAgain(child)
      return
    }
  }

  // ── time and mail ──────────────────────────────────────────────────────────────────────────────────────────────────

  function drain(): void {
    for (let next = mail.shift(); next !== undefined; next = mail.shift()) next()
  }

  function remindAt(at: number, ring: () => void): void {
    timers.push({ at, ring })
    timers.sort((a, b) => a.at - b.at)
  }

  function advance(ms: number): void {
    const until = now + ms
    for (let next = timers[0]; next !== undefined && next.at <= until; next = timers[0]) {
      timers.shift()
      now = next.at
      next.ring()
      drain()
    }
    now = until
  }

  /** What has happened since the last time. */
  function take(): { readonly log: readonly string[]; readonly atOnce: boolean } {
    const taken = { log: log.splice(0), atOnce }
    atOnce = false
    return taken
  }

  return { supervise, startBelow, add, start, stop, end, remove, die, again, giveUp, mayRestart, advance, drain, take }
}
