CREATE INDEX `audit_entries_task` ON `audit_entries` (`task`,`at`) WHERE "task" is not null;--> statement-breakpoint
CREATE INDEX `audit_entries_key` ON `audit_entries` (`key`,`at`) WHERE "key" is not null;--> statement-breakpoint
CREATE INDEX `audit_entries_key_type` ON `audit_entries` (`key`,`type`,`at`) WHERE "key" is not null;--> statement-breakpoint
CREATE INDEX `audit_entries_team` ON `audit_entries` (`team`,`at`) WHERE "team" is not null;--> statement-breakpoint
CREATE INDEX `audit_entries_subject` ON `audit_entries` (`subject_id`,`at`) WHERE "subject_id" is not null;--> statement-breakpoint
CREATE INDEX `audit_entries_actor` ON `audit_entries` (`actor_id`,`at`);--> statement-breakpoint
CREATE INDEX `audit_entries_severity` ON `audit_entries` (`severity`,`at`);--> statement-breakpoint
-- What an entry says, and where its words are found. A place sorts by time, those of one millisecond by arrival: a search reads words in
-- that order, and stops at the end of its page however many there are. JSON is taken as it stands, without the escapes that would hide
-- where words begin.
CREATE VIEW audit_texts AS
SELECT
  seq, ((at & 4398046511103) << 21) | (seq & 2097151) AS place,
  substr(concat_ws(' ', type, severity, actor_id, subject_id, team, key, request, task,
    replace(replace(replace(replace(concat_ws(' ', details, before, after), '\\', ' '), '\n', ' '), '\t', ' '), '\r', ' ')), 1, 16384) AS said
FROM audit_entries;
--> statement-breakpoint
CREATE VIRTUAL TABLE audit_search USING fts5(said, content = 'audit_texts', content_rowid = 'place', tokenize = 'unicode61', columnsize = 0);
--> statement-breakpoint
INSERT INTO audit_search (audit_search) VALUES ('rebuild');
--> statement-breakpoint
CREATE TRIGGER audit_entries_said AFTER INSERT ON audit_entries BEGIN
  INSERT INTO audit_search (rowid, said) SELECT place, said FROM audit_texts WHERE seq = NEW.seq;
END;
