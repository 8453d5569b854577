/**
 * `dashboard`: the supervision tree as it lives, for admins. When it looks and what it pushes is in dashboard-watch.ts.
 * Without watchers it does nothing at all.
 */
import { type AdminTopic, type AdminTopicOptions, adminTopic } from "./admin-topic.ts"
import { DASHBOARD, type DashboardMessage, Watch, type WatchDeps } from "./dashboard-watch.ts"

export type DashboardDeps = WatchDeps & Pick<AdminTopicOptions<DashboardMessage>, "joinTimeoutMs" | "orphan">

export const dashboard = (deps: DashboardDeps): AdminTopic =>
  adminTopic<DashboardMessage>({ ...deps, name: DASHBOARD, watch: (ctx, views) => new Watch(deps, ctx, views) })
