-- Browsers that are told by push. Not part of the recipient, whom services replace whole, and not bound to one: a person may
-- turn notifications on before anybody has told the hub who they are.
create table push_subscriptions (
  -- SHA-256: a browser has one endpoint, whoever is logged in there.
  endpoint_hash bytea primary key,
  recipient_id text collate "C" not null,
  -- Endpoint and keys, sealed.
  subscription bytea not null,
  created_at timestamptz not null default now()
);
create index push_subscriptions_by_recipient on push_subscriptions (recipient_id, created_at);
