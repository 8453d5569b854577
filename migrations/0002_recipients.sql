-- Who can be told. The personal part is opaque; roles and places are what SQL may ask for.
create table recipients (
  id text collate "C" primary key,
  profile bytea not null,
  locale text,
  timezone text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table memberships (
  recipient_id text collate "C" not null references recipients (id) on delete cascade,
  business_id text not null,
  -- Null: every location of the business.
  location_ids text[],
  roles text[] not null,
  primary key (recipient_id, business_id)
);
create index memberships_by_business on memberships (business_id);

create table api_keys (
  id text primary key,
  -- SHA-256 of the key: keys are random and long, so a fast hash is enough.
  hash bytea not null unique,
  name text not null,
  scope text not null check (scope in ('service', 'admin')),
  business_id text,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
