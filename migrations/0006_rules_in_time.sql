-- What rules remember and what is to happen later.

-- What a person wishes: opaque, read with the audience. Somebody may wish before any recipient has their id, so whoever
-- deletes a recipient deletes this too.
create table preferences (
  recipient_id text collate "C" primary key,
  wishes bytea not null,
  updated_at timestamptz not null default now()
);

-- Lists that rules can name, within one business.
create table list_members (
  business_id text not null,
  list text not null,
  recipient_id text collate "C" not null references recipients (id) on delete cascade,
  added_at timestamptz not null default now(),
  primary key (business_id, list, recipient_id)
);
create index list_members_by_recipient on list_members (recipient_id);

-- Cooldowns, throttles and the digests that gather now: a small state under a hashed key. Whoever routes an event locks
-- the rows of its keys, in their order, until what follows from the event is stored.
create table gates (
  key text collate "C" primary key,
  state jsonb,
  -- From then on the row says nothing that matters.
  stale_at timestamptz not null default now()
) with (fillfactor = 70);
create index gates_stale on gates (stale_at);

-- What is to happen later. Done is done in the transaction that stores what follows.
create table timers (
  id text collate "C" primary key,
  kind text not null check (kind in ('delay', 'digest', 'escalate', 'failover')),
  event_id text collate "C" not null,
  business_id text not null,
  rule text not null,
  action smallint not null,
  step smallint not null,
  began_at timestamptz not null,
  due_at timestamptz not null,
  -- Looked at from then on: due_at, and later after a firing that failed.
  next_at timestamptz not null,
  -- Of an escalation: what ends it.
  until text check (until in ('acknowledged', 'read')),
  -- Of a digest: the gate that its events go in by.
  gate text,
  -- The rules that it was made under.
  rules_hash text not null,
  rules_revision text not null,
  -- Firings that failed.
  attempts int not null default 0,
  done_at timestamptz,
  -- What became of it, in a word: fired, acknowledged, read, sent, …
  outcome text,
  -- What of it could not be carried out: sealed, as a reason may hold values of an event. Null: nothing.
  failures bytea
);
create index timers_due on timers (next_at) where done_at is null;
create index timers_by_rules on timers (rules_hash) where done_at is null;
create index timers_by_event on timers (event_id, rule);

-- Which digest an event went into: one for each rule's action that gathers.
create table digest_events (
  event_id text collate "C" not null,
  rule text not null,
  action smallint not null,
  timer_id text collate "C" not null,
  primary key (event_id, rule, action)
);
create index digest_events_by_timer on digest_events (timer_id);

alter table notifications
  -- Why it tells less than its rule says, or how it came about.
  add column reason text,
  -- Later news of the same rule, person and key takes its place.
  add column update_key text;
create index notifications_by_update_key on notifications (recipient_id, rule, update_key)
  where update_key is not null and inbox and deleted_at is null;

alter table deliveries
  add column action smallint not null default 0,
  -- Which telling of the rule's message: null is the first.
  add column round text,
  add column expires_at timestamptz,
  -- Ends as `unknown` where it may have been sent.
  add column hold_unknown boolean not null default false,
  -- Where it is definitely not sent, the next channel may be due.
  add column failover boolean not null default false,
  -- Its people's preferences are asked again before it is sent.
  add column wishes boolean not null default false,
  -- Of those that are asked: what their preferences have to know of the rule.
  add column commercial boolean not null default false,
  add column bypass_quiet_hours boolean not null default false,
  add column category text;

-- The last backtest that was run against this database.
create table backtests (
  one boolean primary key default true check (one),
  report bytea not null,
  finished_at timestamptz not null default now()
);
