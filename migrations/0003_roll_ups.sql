-- What one cost record adds to each cell that it falls into: the one definition that the triggers and the first filling share.
-- The more there may be of who, the less of what and when is told apart, so that cells stay far fewer than records: hours are those of
-- the whole deployment; keys and tags have no capability; end users, who may be as many as records, have months alone and no model.
CREATE VIEW cost_shares AS
SELECT
  r.id AS id, l.level AS level, g.grain AS grain, unixepoch(strftime(g.format, r.at / 1000, 'unixepoch')) * 1000 AS start,
  iif(l.by_team, r.team, '') AS team, iif(l.by_key, coalesce(r.user, ''), '') AS user, iif(l.by_key, r.key, '') AS key,
  coalesce(t.value, '') AS tag, iif(l.by_end_user, coalesce(r.end_user, ''), '') AS end_user,
  iif(l.by_end_user, '', r.provider) AS provider, iif(l.by_end_user, '', r.model) AS model,
  iif(l.by_capability, r.capability, '') AS capability,
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
-- A record counts as long as no other reprices it, whichever of the two arrives first.
CREATE TRIGGER cost_records_count AFTER INSERT ON cost_records
WHEN NOT EXISTS (SELECT 1 FROM cost_records WHERE reprices = NEW.id)
BEGIN
  INSERT INTO cost_cells (level, grain, start, team, user, key, tag, end_user, provider, model, capability,
    requests, nano, femto, input, cache_read, cache_write, output, reasoning)
  SELECT level, grain, start, team, user, key, tag, end_user, provider, model, capability,
    requests, nano, femto, input, cache_read, cache_write, output, reasoning
  FROM cost_shares WHERE id = NEW.id
  ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, nano = nano + excluded.nano, femto = femto + excluded.femto,
    input = input + excluded.input, cache_read = cache_read + excluded.cache_read, cache_write = cache_write + excluded.cache_write,
    output = output + excluded.output, reasoning = reasoning + excluded.reasoning;
END;
--> statement-breakpoint
-- What is repriced counted until now: `reprices` is unique, so that nothing else has taken it out before.
CREATE TRIGGER cost_records_uncount AFTER INSERT ON cost_records
WHEN NEW.reprices IS NOT NULL AND NEW.reprices <> NEW.id
BEGIN
  INSERT INTO cost_cells (level, grain, start, team, user, key, tag, end_user, provider, model, capability,
    requests, nano, femto, input, cache_read, cache_write, output, reasoning)
  SELECT level, grain, start, team, user, key, tag, end_user, provider, model, capability,
    -requests, -nano, -femto, -input, -cache_read, -cache_write, -output, -reasoning
  FROM cost_shares WHERE id = NEW.reprices
  ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, nano = nano + excluded.nano, femto = femto + excluded.femto,
    input = input + excluded.input, cache_read = cache_read + excluded.cache_read, cache_write = cache_write + excluded.cache_write,
    output = output + excluded.output, reasoning = reasoning + excluded.reasoning;
END;
--> statement-breakpoint
CREATE TRIGGER cost_records_tags AFTER INSERT ON cost_records WHEN NEW.tags <> '[]'
BEGIN
  INSERT INTO cost_tags (tag, at, id) SELECT DISTINCT value, NEW.at, NEW.id FROM json_each(NEW.tags);
END;
--> statement-breakpoint
CREATE TRIGGER requests_tags AFTER INSERT ON requests WHEN NEW.tags <> '[]'
BEGIN
  INSERT INTO request_tags (tag, at, id) SELECT DISTINCT value, NEW.at, NEW.id FROM json_each(NEW.tags);
END;
--> statement-breakpoint
CREATE TRIGGER requests_untag AFTER DELETE ON requests WHEN OLD.tags <> '[]'
BEGIN
  DELETE FROM request_tags WHERE at = OLD.at AND id = OLD.id AND tag IN (SELECT value FROM json_each(OLD.tags));
END;
--> statement-breakpoint
INSERT INTO cost_tags (tag, at, id) SELECT DISTINCT t.value, r.at, r.id FROM cost_records AS r, json_each(r.tags) AS t;
--> statement-breakpoint
INSERT INTO request_tags (tag, at, id) SELECT DISTINCT t.value, r.at, r.id FROM requests AS r, json_each(r.tags) AS t;
--> statement-breakpoint
INSERT INTO cost_cells (level, grain, start, team, user, key, tag, end_user, provider, model, capability,
  requests, nano, femto, input, cache_read, cache_write, output, reasoning)
SELECT level, grain, start, team, user, key, tag, end_user, provider, model, capability,
  sum(requests), sum(nano), sum(femto), sum(input), sum(cache_read), sum(cache_write), sum(output), sum(reasoning)
FROM cost_shares AS s WHERE NOT EXISTS (SELECT 1 FROM cost_records WHERE reprices = s.id)
GROUP BY level, grain, start, team, user, key, tag, end_user, provider, model, capability;
