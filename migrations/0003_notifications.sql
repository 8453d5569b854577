-- One thing one person should know. The words are opaque; the marks are what the inbox asks for.
create table notifications (
  id text collate "C" primary key,
  event_id text collate "C" not null,
  rule text not null,
  rules_revision text not null,
  recipient_id text collate "C" not null,
  business_id text not null,
  location_id text,
  severity text not null,
  category text,
  priority text not null,
  inbox boolean not null,
  content bytea not null,
  created_at timestamptz not null default now(),
  read_at timestamptz,
  seen_at timestamptz,
  archived_at timestamptz,
  acknowledged_at timestamptz,
  deleted_at timestamptz,
  -- A person is told once per rule and event, however many ways they are named and however often routing is tried.
  unique (event_id, rule, recipient_id)
);
create index notifications_inbox on notifications (recipient_id, id) where inbox and deleted_at is null;
create index notifications_unread on notifications (recipient_id)
  where inbox and read_at is null and archived_at is null and deleted_at is null;

-- One message to one address on one channel: the unit of retry. Narrow, because it changes several times.
create table deliveries (
  id text collate "C" primary key,
  event_id text collate "C" not null,
  notification_ids text[] not null,
  rule text not null,
  rules_revision text not null,
  business_id text not null,
  channel text not null,
  -- Hash of the address with the event, the rule and the channel: equal addresses share one delivery, and none can be
  -- read back.
  address_hash bytea not null,
  priority smallint not null default 1,
  status text not null,
  reason text,
  receipt text,
  maybe_duplicate boolean not null default false,
  attempt int not null default 0,
  next_attempt_at timestamptz,
  owner text,
  lease_until timestamptz,
  created_at timestamptz not null default now(),
  settled_at timestamptz,
  unique (event_id, address_hash)
);
create index deliveries_due on deliveries (channel, priority desc, next_attempt_at)
  where status in ('queued', 'retrying', 'scheduled');
create index deliveries_leased on deliveries (lease_until) where status = 'sending';
create index deliveries_by_status on deliveries (status, id)
  where status in ('dead', 'unknown', 'captured', 'suppressed', 'expired', 'cancelled');
create index deliveries_by_business on deliveries (business_id, id);

-- The rendered message, written once.
create table messages (
  delivery_id text collate "C" primary key,
  message bytea not null
);

-- What each try saw: append-only.
create table attempts (
  delivery_id text collate "C" not null,
  number int not null,
  started_at timestamptz not null,
  finished_at timestamptz not null default now(),
  outcome text not null,
  reason text,
  detail text,
  provider_message_id text,
  primary key (delivery_id, number, finished_at)
);
