CREATE TABLE `cost_cells` (
	`level` text NOT NULL,
	`grain` text NOT NULL,
	`start` integer NOT NULL,
	`team` text NOT NULL,
	`user` text NOT NULL,
	`key` text NOT NULL,
	`tag` text NOT NULL,
	`end_user` text NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`capability` text NOT NULL,
	`requests` integer NOT NULL,
	`nano` integer NOT NULL,
	`femto` integer NOT NULL,
	`input` integer NOT NULL,
	`cache_read` integer NOT NULL,
	`cache_write` integer NOT NULL,
	`output` integer NOT NULL,
	`reasoning` integer NOT NULL,
	PRIMARY KEY(`level`, `grain`, `start`, `team`, `user`, `key`, `tag`, `end_user`, `provider`, `model`, `capability`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `cost_cells_team` ON `cost_cells` (`level`,`team`,`grain`,`start`);--> statement-breakpoint
CREATE INDEX `cost_cells_key` ON `cost_cells` (`level`,`key`,`grain`,`start`);--> statement-breakpoint
CREATE TABLE `cost_tags` (
	`tag` text NOT NULL,
	`at` integer NOT NULL,
	`id` text NOT NULL,
	PRIMARY KEY(`tag`, `at`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `request_tags` (
	`tag` text NOT NULL,
	`at` integer NOT NULL,
	`id` text NOT NULL,
	PRIMARY KEY(`tag`, `at`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `requests` ADD `task` text;--> statement-breakpoint
CREATE INDEX `requests_model_at` ON `requests` (`model`,`at`);--> statement-breakpoint
CREATE INDEX `requests_provider_at` ON `requests` (`provider`,`at`);--> statement-breakpoint
CREATE INDEX `requests_capability_at` ON `requests` (`capability`,`at`);--> statement-breakpoint
CREATE INDEX `requests_user_at` ON `requests` (`user`,`at`) WHERE "user" is not null;--> statement-breakpoint
CREATE INDEX `requests_end_user_at` ON `requests` (`end_user`,`at`) WHERE "end_user" is not null;--> statement-breakpoint
CREATE INDEX `requests_session_at` ON `requests` (`session`,`at`) WHERE "session" is not null;--> statement-breakpoint
CREATE INDEX `requests_task_at` ON `requests` (`task`,`at`) WHERE "task" is not null;--> statement-breakpoint
CREATE INDEX `cost_records_model_at` ON `cost_records` (`model`,`at`);--> statement-breakpoint
CREATE INDEX `cost_records_provider_at` ON `cost_records` (`provider`,`at`);--> statement-breakpoint
CREATE INDEX `cost_records_capability_at` ON `cost_records` (`capability`,`at`);--> statement-breakpoint
CREATE INDEX `cost_records_user_at` ON `cost_records` (`user`,`at`) WHERE "user" is not null;--> statement-breakpoint
CREATE INDEX `cost_records_end_user_at` ON `cost_records` (`end_user`,`at`) WHERE "end_user" is not null;--> statement-breakpoint
CREATE INDEX `cost_records_session_at` ON `cost_records` (`session`,`at`) WHERE "session" is not null;--> statement-breakpoint
CREATE INDEX `cost_records_task_at` ON `cost_records` (`task`,`at`) WHERE "task" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `cost_records_reprices` ON `cost_records` (`reprices`) WHERE "reprices" is not null;