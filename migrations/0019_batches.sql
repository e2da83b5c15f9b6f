CREATE TABLE `cost_batches` (
	`after` integer NOT NULL
);
--> statement-breakpoint
-- The roll-ups are the same as before; what changes is how often they are written. Nothing that stands is summed anew.
DROP TRIGGER cost_records_count;
--> statement-breakpoint
DROP TRIGGER cost_records_uncount;
--> statement-breakpoint
DROP TRIGGER cost_records_key_hours;
--> statement-breakpoint
DROP TRIGGER cost_records_usage_checks;
--> statement-breakpoint
DROP VIEW cost_shares;
--> statement-breakpoint
-- What each record changes in the sums, by its row: it adds itself unless an earlier one reprices it, and takes out the earlier one that it
-- reprices. Rows only ever come last and stay: a change is the same for good, whether it is counted alone or with others.
CREATE VIEW cost_changes AS
SELECT
  n.rowid AS place, r.at - r.at % 3600000 AS hour, r.team AS team, coalesce(r.user, '') AS user, r.key AS key, r.tags AS tags,
  coalesce(r.end_user, '') AS end_user, r.provider AS provider, r.model AS model, r.capability AS capability,
  c.sign AS requests, c.sign * r.nano_floor AS nano, c.sign * r.femto_rest AS femto,
  c.sign * (r.input + r.audio_input + r.image_input) AS input, c.sign * r.cache_read AS cache_read,
  c.sign * (r.cache_write_5m + r.cache_write_1h) AS cache_write, c.sign * (r.output + r.audio_output + r.image_output) AS output,
  c.sign * r.reasoning AS reasoning, c.sign * r.images AS images, c.sign * r.web_searches AS web_searches,
  c.sign * r.file_searches AS file_searches, c.sign * r.search_sources AS search_sources, c.sign * r.characters AS characters,
  c.sign * r.seconds AS seconds, c.sign * r.rankings AS rankings, c.sign * r.extras AS extras,
  c.sign * r.saved_nano AS saved_nano, c.sign * r.saved_femto AS saved_femto
FROM cost_records AS n CROSS JOIN (SELECT 1 AS sign UNION ALL VALUES (-1)) AS c CROSS JOIN cost_records AS r
WHERE r.id = iif(c.sign = 1, n.id, n.reprices) AND iif(c.sign = 1,
  NOT EXISTS (SELECT 1 FROM cost_records AS o WHERE o.reprices = r.id AND o.rowid <= r.rowid), r.rowid < n.rowid);
--> statement-breakpoint
-- The cells that a change falls into. The more there may be of who, the less of what and when is told apart, so that cells stay far fewer
-- than records (docs/storage.md).
CREATE VIEW cost_levels (level, grain, by_team, by_key, by_tag, by_end_user, by_capability) AS
VALUES ('all', 'hour', 0, 0, 0, 0, 1), ('all', 'day', 0, 0, 0, 0, 1), ('all', 'month', 0, 0, 0, 0, 1),
  ('team', 'day', 1, 0, 0, 0, 1), ('team', 'month', 1, 0, 0, 0, 1), ('key', 'day', 1, 1, 0, 0, 0), ('key', 'month', 1, 1, 0, 0, 1),
  ('tag', 'day', 1, 0, 1, 0, 0), ('tag', 'month', 1, 0, 1, 0, 0), ('end_user', 'month', 1, 0, 0, 1, 0);
--> statement-breakpoint
-- Whatever is inserted here is never kept: it counts the records after a row, each of them into everything that is kept of them.
CREATE VIEW cost_counts AS SELECT 0 AS after WHERE false;
--> statement-breakpoint
-- Changes that fall into the same cells are added up before they are written.
CREATE TRIGGER cost_counts_cells INSTEAD OF INSERT ON cost_counts
BEGIN
  INSERT INTO cost_cells (level, grain, start, team, user, key, tag, end_user, provider, model, capability,
    requests, nano, femto, input, cache_read, cache_write, output, reasoning, images, web_searches, file_searches, search_sources,
    characters, seconds, rankings, extras, saved_nano, saved_femto)
  SELECT l.level, l.grain, CASE l.grain WHEN 'hour' THEN c.hour WHEN 'day' THEN c.hour - c.hour % 86400000 ELSE c.month END,
    iif(l.by_team, c.team, ''), iif(l.by_key, c.user, ''), iif(l.by_key, c.key, ''), coalesce(t.value, ''),
    iif(l.by_end_user, c.end_user, ''), iif(l.by_end_user, '', c.provider), iif(l.by_end_user, '', c.model),
    iif(l.by_capability, c.capability, ''),
    requests, nano, femto, input, cache_read, cache_write, output, reasoning, images, web_searches, file_searches, search_sources,
    characters, seconds, rankings, extras, saved_nano, saved_femto
  FROM (
    SELECT hour, unixepoch(hour / 1000, 'unixepoch', 'start of month') * 1000 AS month, team, user, key, tags, end_user, provider, model,
      capability,
      sum(requests) AS requests, sum(nano) AS nano, sum(femto) AS femto, sum(input) AS input, sum(cache_read) AS cache_read,
      sum(cache_write) AS cache_write, sum(output) AS output, sum(reasoning) AS reasoning, sum(images) AS images,
      sum(web_searches) AS web_searches, sum(file_searches) AS file_searches, sum(search_sources) AS search_sources,
      sum(characters) AS characters, sum(seconds) AS seconds, sum(rankings) AS rankings, sum(extras) AS extras,
      sum(saved_nano) AS saved_nano, sum(saved_femto) AS saved_femto
    FROM cost_changes WHERE place > NEW.after GROUP BY key, model, end_user, tags, capability, provider, team, user, hour
  ) AS c
  CROSS JOIN cost_levels AS l LEFT JOIN json_each(c.tags) AS t ON l.by_tag WHERE true
  ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests, nano = nano + excluded.nano, femto = femto + excluded.femto, input = input + excluded.input,
    cache_read = cache_read + excluded.cache_read, cache_write = cache_write + excluded.cache_write, output = output + excluded.output,
    reasoning = reasoning + excluded.reasoning, images = images + excluded.images, web_searches = web_searches + excluded.web_searches,
    file_searches = file_searches + excluded.file_searches, search_sources = search_sources + excluded.search_sources,
    characters = characters + excluded.characters, seconds = seconds + excluded.seconds, rankings = rankings + excluded.rankings,
    extras = extras + excluded.extras, saved_nano = saved_nano + excluded.saved_nano, saved_femto = saved_femto + excluded.saved_femto;
END;
--> statement-breakpoint
-- A record that reprices another one tells of no new request. Rows are searched by their number: an index would be read whole, for its order.
CREATE TRIGGER cost_counts_key_hours INSTEAD OF INSERT ON cost_counts
BEGIN
  INSERT INTO key_hours (key, hour, team, nano)
  SELECT key, at - at % 3600000 AS hour, team, sum(nano_usd) FROM cost_records NOT INDEXED
  WHERE rowid > NEW.after AND reprices IS NULL GROUP BY key, hour
  ON CONFLICT DO UPDATE SET nano = nano + excluded.nano;
END;
--> statement-breakpoint
CREATE TRIGGER cost_counts_usage_checks INSTEAD OF INSERT ON cost_counts
BEGIN
  INSERT INTO usage_checks (day, provider, model, answers, reported, own)
  SELECT at - at % 86400000 AS day, provider, model, count(*), sum(output), sum(json_extract(receipt, '$.ownOutput'))
  FROM cost_records NOT INDEXED WHERE rowid > NEW.after AND reprices IS NULL AND json_extract(receipt, '$.ownOutput') IS NOT NULL
  GROUP BY day, provider, model
  ON CONFLICT DO UPDATE SET answers = answers + excluded.answers, reported = reported + excluded.reported, own = own + excluded.own;
END;
--> statement-breakpoint
-- A record is counted as it is inserted, whoever inserts it, unless it is one of a batch.
CREATE TRIGGER cost_records_count AFTER INSERT ON cost_records WHEN NOT EXISTS (SELECT 1 FROM cost_batches)
BEGIN
  INSERT INTO cost_counts (after) VALUES (NEW.rowid - 1);
END;
--> statement-breakpoint
-- A batch is counted as it closes.
CREATE TRIGGER cost_batches_count AFTER DELETE ON cost_batches
BEGIN
  INSERT INTO cost_counts (after) VALUES (OLD.after);
END;
