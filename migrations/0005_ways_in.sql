-- What came in and can never be an event: kept, so that somebody can see it and mend the producer.
create table rejected (
  id text collate "C" primary key,
  received_at timestamptz not null default now(),
  -- The door: http, resources, nats, zoho, webhook.
  via text not null,
  -- The code of the problem (invalid, malformed, too_large, idempotency_key_reused, …): what the counts go by.
  code text not null,
  -- Null: it could not be told whose it was.
  business_id text,
  -- Where it came from, in the door's words: a subject and sequence, a webhook's name, a route.
  origin text not null,
  -- Of one message that was delivered again, and of floods folded into one row.
  fingerprint bytea not null unique,
  count bigint not null default 1,
  last_at timestamptz not null default now(),
  -- Opaque: the errors with their pointers, and the first bytes of what came.
  content bytea not null
);
create index rejected_by_business on rejected (business_id, id);

-- The bytes of a webhook as its sender signed them, beside the event that they became.
create table raw_bodies (
  event_id text collate "C" primary key,
  body bytea not null
);

-- One bucket for each limited caller, business and type: nodes lease blocks of tokens from it, not a token an event.
-- Unlogged: a lease waits for no disk, and a bucket that a crash has emptied of its row is a full one.
create unlogged table rate_buckets (
  key text collate "C" primary key,
  -- Below 0 after a batch that was larger than the bucket.
  tokens float8 not null,
  filled_at timestamptz not null,
  -- What the last lease asked for at least and was given: an upsert knows and answers nothing but its row.
  least float8 not null,
  granted float8 not null
) with (fillfactor = 50);

-- What is done by one node at a time, every so often. A lease in a row, since a lock of a session would not survive a
-- connection pooler.
create table chores (
  name text primary key,
  holder text,
  lease_until timestamptz,
  finished_at timestamptz
);
insert into chores (name) values ('prune');

-- When something was last decided under it, to within some hours: retention goes by it.
alter table rule_sets add column used_at timestamptz not null default now();

-- What sources have promised in the rules, and since when the hub knows it: nothing is owed before.
create table source_promises (
  source text not null,
  -- Empty: each business of the source.
  business_id text not null,
  expected text not null,
  first_seen_at timestamptz not null,
  -- Some node's rules said so then, to within an hour; what nobody says any more is forgotten a day later.
  confirmed_at timestamptz not null,
  primary key (source, business_id)
);
-- Sources that fell silent. A row is an open alarm, and settles what its two events say before there are any, so that
-- whoever finds one without its event makes the same one.
create table silent_sources (
  source text not null,
  business_id text not null,
  -- What the idempotency keys of its events are made of.
  key text not null unique,
  expected text not null,
  since timestamptz not null,
  noticed_at timestamptz not null,
  last_event_at timestamptz,
  seen integer not null,
  -- Null: `source.silent` is still to be accepted.
  event_id text collate "C",
  -- Not null: `source.resumed` is to be accepted, and then the row goes.
  resumed_at timestamptz,
  primary key (source, business_id)
);
-- "When did this source last speak", and `GET /v1/events?source=`.
create index events_by_source on events (source, business_id, id);
