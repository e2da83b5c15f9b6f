-- Months of keys tell capabilities apart as well: a key's records are too many to be read for that. Days of keys still do not, so that a
-- record falls into no more cells than before.
DROP VIEW cost_shares;
--> statement-breakpoint
CREATE VIEW cost_shares AS
SELECT
  r.id AS id, l.level AS level, g.grain AS grain, unixepoch(strftime(g.format, r.at / 1000, 'unixepoch')) * 1000 AS start,
  iif(l.by_team, r.team, '') AS team, iif(l.by_key, coalesce(r.user, ''), '') AS user, iif(l.by_key, r.key, '') AS key,
  coalesce(t.value, '') AS tag, iif(l.by_end_user, coalesce(r.end_user, ''), '') AS end_user,
  iif(l.by_end_user, '', r.provider) AS provider, iif(l.by_end_user, '', r.model) AS model,
  iif(l.by_capability OR (l.level = 'key' AND g.grain = 'month'), r.capability, '') AS capability,
  1 AS requests, r.nano_floor AS nano, r.femto_rest AS femto, r.input + r.audio_input AS input, r.cache_read AS cache_read,
  r.cache_write_5m + r.cache_write_1h AS cache_write, r.output + r.audio_output AS output, r.reasoning AS reasoning
FROM cost_records AS r
CROSS JOIN (
  SELECT 'all' AS level, 0 AS by_team, 0 AS by_key, 0 AS by_tag, 0 AS by_end_user, 1 AS by_capability, 'hour day month' AS grains
  UNION ALL VALUES ('team', 1, 0, 0, 0, 1, 'day month'), ('key', 1, 1, 0, 0, 0, 'day month'), ('tag', 1, 0, 1, 0, 0, 'day month'),
    ('end_user', 1, 0, 0, 1, 0, 'month')
) AS l
CROSS JOIN (
  SELECT 'hour' AS grain, '%Y-%m-%d %H:00' AS format UNION ALL VALUES ('day', '%Y-%m-%d'), ('month', '%Y-%m-01')
) AS g
LEFT JOIN json_each(iif(l.by_tag, r.tags, '[]')) AS t
WHERE instr(l.grains, g.grain) > 0;
--> statement-breakpoint
DELETE FROM cost_cells WHERE level = 'key' AND grain = 'month';
--> statement-breakpoint
INSERT INTO cost_cells (level, grain, start, team, user, key, tag, end_user, provider, model, capability,
  requests, nano, femto, input, cache_read, cache_write, output, reasoning)
SELECT level, grain, start, team, user, key, tag, end_user, provider, model, capability,
  sum(requests), sum(nano), sum(femto), sum(input), sum(cache_read), sum(cache_write), sum(output), sum(reasoning)
FROM cost_shares AS s WHERE level = 'key' AND grain = 'month' AND NOT EXISTS (SELECT 1 FROM cost_records WHERE reprices = s.id)
GROUP BY level, grain, start, team, user, key, tag, end_user, provider, model, capability;
