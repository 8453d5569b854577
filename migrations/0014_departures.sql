-- When somebody last left a business, or the hub: whoever is sent what was made before is looked for first.
create table departures (
  one boolean primary key default true check (one),
  at timestamptz not null
);
