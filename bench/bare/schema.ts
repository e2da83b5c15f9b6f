/** What D1 has to hold so that a bill can be listed by its owner. */
export const SCHEMA = [
  "create table records (id text primary key, at integer, key text, model text, nano integer, usage text, receipt text) without rowid",
  "create index records_by_key on records (key, at)",
];
