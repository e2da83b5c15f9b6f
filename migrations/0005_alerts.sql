CREATE TABLE `alerts` (
	`id` text PRIMARY KEY NOT NULL,
	`type` text NOT NULL,
	`severity` text NOT NULL,
	`subject_kind` text NOT NULL,
	`subject_id` text NOT NULL,
	`threshold` integer NOT NULL,
	`window_start` integer NOT NULL,
	`team` text,
	`key` text,
	`data` text NOT NULL,
	`audited` integer NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `alerts_once` ON `alerts` (`type`,`subject_kind`,`subject_id`,`threshold`,`window_start`);--> statement-breakpoint
CREATE INDEX `alerts_created` ON `alerts` (`created_at`);--> statement-breakpoint
CREATE INDEX `alerts_unaudited` ON `alerts` (`created_at`) WHERE "audited" = 0;--> statement-breakpoint
CREATE TABLE `key_hours` (
	`key` text NOT NULL,
	`hour` integer NOT NULL,
	`team` text NOT NULL,
	`nano` integer NOT NULL,
	PRIMARY KEY(`key`, `hour`)
);
--> statement-breakpoint
CREATE INDEX `key_hours_hour` ON `key_hours` (`hour`);--> statement-breakpoint
CREATE TABLE `usage_checks` (
	`day` integer NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`answers` integer NOT NULL,
	`reported` integer NOT NULL,
	`own` integer NOT NULL,
	PRIMARY KEY(`day`, `provider`, `model`)
);
--> statement-breakpoint
CREATE TABLE `webhook_deliveries` (
	`id` text PRIMARY KEY NOT NULL,
	`webhook` text NOT NULL,
	`alert` text,
	`status` text NOT NULL,
	`attempts` integer NOT NULL,
	`next_at` integer NOT NULL,
	`http_status` integer,
	`error` text,
	`created_at` integer NOT NULL,
	`ended_at` integer
);
--> statement-breakpoint
CREATE INDEX `webhook_deliveries_due` ON `webhook_deliveries` (`webhook`,`next_at`) WHERE "status" = 'pending';--> statement-breakpoint
CREATE INDEX `webhook_deliveries_created` ON `webhook_deliveries` (`webhook`,`created_at`);--> statement-breakpoint
CREATE TABLE `webhooks` (
	`id` text PRIMARY KEY NOT NULL,
	`url` text NOT NULL,
	`secret` text NOT NULL,
	`events` text NOT NULL,
	`status` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
-- Each record once, in the transaction of its insert: one that comes again inserts nothing and so adds nothing. A record that reprices
-- another one tells of no new request.
CREATE TRIGGER cost_records_key_hours AFTER INSERT ON cost_records WHEN NEW.reprices IS NULL
BEGIN
  INSERT INTO key_hours (key, hour, team, nano) VALUES (NEW.key, NEW.at - NEW.at % 3600000, NEW.team, NEW.nano_usd)
  ON CONFLICT DO UPDATE SET nano = nano + excluded.nano;
END;
--> statement-breakpoint
CREATE TRIGGER cost_records_usage_checks AFTER INSERT ON cost_records
WHEN NEW.reprices IS NULL AND json_extract(NEW.receipt, '$.ownOutput') IS NOT NULL
BEGIN
  INSERT INTO usage_checks (day, provider, model, answers, reported, own)
  VALUES (NEW.at - NEW.at % 86400000, NEW.provider, NEW.model, 1, NEW.output, json_extract(NEW.receipt, '$.ownOutput'))
  ON CONFLICT DO UPDATE SET answers = answers + 1, reported = reported + excluded.reported, own = own + excluded.own;
END;
