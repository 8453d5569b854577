-- Events, immutable once accepted. Payloads are opaque: only store opens them, and no SQL looks inside.
create table hub_meta (
  one boolean primary key default true check (one),
  -- A new epoch tells clients that positions of another life of this database mean nothing here.
  epoch text not null default replace(gen_random_uuid()::text, '-', ''),
  created_at timestamptz not null default now()
);
insert into hub_meta default values;

create table events (
  id text collate "C" primary key,
  business_id text not null,
  location_id text,
  type text not null,
  source text not null,
  severity text not null,
  occurred_at timestamptz not null,
  accepted_at timestamptz not null default now(),
  idempotency_key text,
  -- Hash of type, severity, location and payload: the same key with other content is refused, never dropped.
  content_hash bytea not null,
  correlation_id text,
  payload bytea not null,
  extensions bytea
);
create unique index events_key on events (business_id, source, idempotency_key) where idempotency_key is not null;
create index events_by_business on events (business_id, id);
create index events_by_type on events (type, id);

-- Events that wait for the router: a small table, so that the wide one is written once.
create table routing_queue (
  event_id text collate "C" primary key,
  attempts int not null default 0,
  next_at timestamptz not null default now()
);

-- What was decided for an event, and under which rules.
create table routes (
  event_id text collate "C" primary key,
  rules_revision text not null,
  decided_at timestamptz not null default now(),
  failed boolean not null default false,
  decisions bytea not null
);

-- Every rule set that ever decided something, by content hash, so that a decision can be computed again.
create table rule_sets (
  hash text primary key,
  revision text not null,
  files bytea not null,
  loaded_at timestamptz not null default now()
);

-- A stream's last position; taken in the transaction that stores the message, streams in sorted order.
create table streams (
  key text collate "C" primary key,
  position bigint not null
);
create table stream_entries (
  stream text collate "C" not null,
  position bigint not null,
  -- The event or the notification whose message stands at this position.
  ref text collate "C" not null,
  created_at timestamptz not null default now(),
  primary key (stream, position)
);
