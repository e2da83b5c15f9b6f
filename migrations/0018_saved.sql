ALTER TABLE `cost_cells` ADD `saved_nano` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cost_cells` ADD `saved_femto` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cost_records` ADD `saved_nano` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cost_records` ADD `saved_femto` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
-- Sums show what the cache saved as well: nothing for what was written before, so that what stands needs no summing anew.
DROP TRIGGER cost_records_count;
--> statement-breakpoint
DROP TRIGGER cost_records_uncount;
--> statement-breakpoint
DROP VIEW cost_shares;
--> statement-breakpoint
CREATE VIEW cost_shares AS
SELECT
  r.id AS id, l.level AS level, g.grain AS grain, unixepoch(strftime(g.format, r.at / 1000, 'unixepoch')) * 1000 AS start,
  iif(l.by_team, r.team, '') AS team, iif(l.by_key, coalesce(r.user, ''), '') AS user, iif(l.by_key, r.key, '') AS key,
  coalesce(t.value, '') AS tag, iif(l.by_end_user, coalesce(r.end_user, ''), '') AS end_user,
  iif(l.by_end_user, '', r.provider) AS provider, iif(l.by_end_user, '', r.model) AS model,
  iif(l.by_capability OR (l.level = 'key' AND g.grain = 'month'), r.capability, '') AS capability,
  1 AS requests, r.nano_floor AS nano, r.femto_rest AS femto, r.input + r.audio_input + r.image_input AS input,
  r.cache_read AS cache_read, r.cache_write_5m + r.cache_write_1h AS cache_write,
  r.output + r.audio_output + r.image_output AS output, r.reasoning AS reasoning,
  r.images AS images, r.web_searches AS web_searches, r.file_searches AS file_searches, r.search_sources AS search_sources,
  r.characters AS characters, r.seconds AS seconds, r.rankings AS rankings, r.extras AS extras,
  r.saved_nano AS saved_nano, r.saved_femto AS saved_femto
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
CREATE TRIGGER cost_records_count AFTER INSERT ON cost_records
WHEN NOT EXISTS (SELECT 1 FROM cost_records WHERE reprices = NEW.id)
BEGIN
  INSERT INTO cost_cells (level, grain, start, team, user, key, tag, end_user, provider, model, capability,
    requests, nano, femto, input, cache_read, cache_write, output, reasoning, images, web_searches, file_searches,
    search_sources, characters, seconds, rankings, extras, saved_nano, saved_femto)
  SELECT level, grain, start, team, user, key, tag, end_user, provider, model, capability,
    requests, nano, femto, input, cache_read, cache_write, output, reasoning, images, web_searches, file_searches,
    search_sources, characters, seconds, rankings, extras, saved_nano, saved_femto
  FROM cost_shares WHERE id = NEW.id
  ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, nano = nano + excluded.nano, femto = femto + excluded.femto,
    input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
    cache_write = cache_write + excluded.cache_write, output = output + excluded.output,
    reasoning = reasoning + excluded.reasoning, images = images + excluded.images,
    web_searches = web_searches + excluded.web_searches, file_searches = file_searches + excluded.file_searches,
    search_sources = search_sources + excluded.search_sources, characters = characters + excluded.characters,
    seconds = seconds + excluded.seconds, rankings = rankings + excluded.rankings, extras = extras + excluded.extras,
    saved_nano = saved_nano + excluded.saved_nano, saved_femto = saved_femto + excluded.saved_femto;
END;
--> statement-breakpoint
CREATE TRIGGER cost_records_uncount AFTER INSERT ON cost_records
WHEN NEW.reprices IS NOT NULL AND NEW.reprices <> NEW.id
BEGIN
  INSERT INTO cost_cells (level, grain, start, team, user, key, tag, end_user, provider, model, capability,
    requests, nano, femto, input, cache_read, cache_write, output, reasoning, images, web_searches, file_searches,
    search_sources, characters, seconds, rankings, extras, saved_nano, saved_femto)
  SELECT level, grain, start, team, user, key, tag, end_user, provider, model, capability,
    -requests, -nano, -femto, -input, -cache_read, -cache_write, -output, -reasoning, -images, -web_searches,
    -file_searches, -search_sources, -characters, -seconds, -rankings, -extras, -saved_nano, -saved_femto
  FROM cost_shares WHERE id = NEW.reprices
  ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, nano = nano + excluded.nano, femto = femto + excluded.femto,
    input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
    cache_write = cache_write + excluded.cache_write, output = output + excluded.output,
    reasoning = reasoning + excluded.reasoning, images = images + excluded.images,
    web_searches = web_searches + excluded.web_searches, file_searches = file_searches + excluded.file_searches,
    search_sources = search_sources + excluded.search_sources, characters = characters + excluded.characters,
    seconds = seconds + excluded.seconds, rankings = rankings + excluded.rankings, extras = extras + excluded.extras,
    saved_nano = saved_nano + excluded.saved_nano, saved_femto = saved_femto + excluded.saved_femto;
END;
