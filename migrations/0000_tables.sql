CREATE TABLE `audit_entries` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`at` integer NOT NULL,
	`type` text NOT NULL,
	`severity` text NOT NULL,
	`outcome` text NOT NULL,
	`actor_kind` text NOT NULL,
	`actor_id` text NOT NULL,
	`subject_kind` text,
	`subject_id` text,
	`team` text,
	`key` text,
	`request` text,
	`task` text,
	`before` text,
	`after` text,
	`details` text NOT NULL,
	`prev_hash` text,
	`hash` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `audit_entries_id` ON `audit_entries` (`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_at` ON `audit_entries` (`at`);--> statement-breakpoint
CREATE INDEX `audit_entries_type_at` ON `audit_entries` (`type`,`at`);--> statement-breakpoint
CREATE TABLE `budgets` (
	`id` text PRIMARY KEY NOT NULL,
	`team` text NOT NULL,
	`scope_kind` text NOT NULL,
	`scope_id` text NOT NULL,
	`window` text NOT NULL,
	`time_zone` text NOT NULL,
	`unit` text NOT NULL,
	`limit_value` integer NOT NULL,
	`mode` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `budgets_team` ON `budgets` (`team`);--> statement-breakpoint
CREATE INDEX `budgets_scope` ON `budgets` (`scope_kind`,`scope_id`);--> statement-breakpoint
CREATE TABLE `cost_records` (
	`id` text PRIMARY KEY NOT NULL,
	`request` text NOT NULL,
	`at` integer NOT NULL,
	`key` text NOT NULL,
	`team` text NOT NULL,
	`user` text,
	`end_user` text,
	`session` text,
	`task` text,
	`resource_kind` text NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`requested` text NOT NULL,
	`capability` text NOT NULL,
	`stream` integer NOT NULL,
	`outcome` text NOT NULL,
	`attempts` integer NOT NULL,
	`cache` text NOT NULL,
	`status` text NOT NULL,
	`price_state` text NOT NULL,
	`estimated_usd` text NOT NULL,
	`actual_usd` text NOT NULL,
	`nano_usd` integer NOT NULL,
	`nano_floor` integer NOT NULL,
	`femto_rest` integer NOT NULL,
	`input` integer NOT NULL,
	`cache_read` integer NOT NULL,
	`cache_write_5m` integer NOT NULL,
	`cache_write_1h` integer NOT NULL,
	`output` integer NOT NULL,
	`reasoning` integer NOT NULL,
	`audio_input` integer NOT NULL,
	`audio_output` integer NOT NULL,
	`images` integer NOT NULL,
	`web_searches` integer NOT NULL,
	`service_tier` text,
	`tags` text NOT NULL,
	`metadata` text NOT NULL,
	`reprices` text,
	`receipt` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `cost_records_at` ON `cost_records` (`at`);--> statement-breakpoint
CREATE INDEX `cost_records_team_at` ON `cost_records` (`team`,`at`);--> statement-breakpoint
CREATE INDEX `cost_records_key_at` ON `cost_records` (`key`,`at`);--> statement-breakpoint
CREATE INDEX `cost_records_request` ON `cost_records` (`request`);--> statement-breakpoint
CREATE TABLE `idempotency` (
	`actor` text NOT NULL,
	`key` text NOT NULL,
	`route` text NOT NULL,
	`body_digest` text NOT NULL,
	`status` integer,
	`answer` text,
	`created_at` integer DEFAULT (unixepoch() * 1000) NOT NULL,
	PRIMARY KEY(`actor`, `route`, `key`)
);
--> statement-breakpoint
CREATE TABLE `key_secrets` (
	`key` text NOT NULL,
	`digest` text NOT NULL,
	`last4` text NOT NULL,
	`valid_until` integer,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`key`, `digest`),
	FOREIGN KEY (`key`) REFERENCES `keys`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `keys` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`team` text NOT NULL,
	`user` text,
	`role` text NOT NULL,
	`tags` text NOT NULL,
	`metadata` text NOT NULL,
	`models_allow` text NOT NULL,
	`models_deny` text NOT NULL,
	`expires_at` integer,
	`rpm` integer,
	`tpm` integer,
	`concurrency` integer,
	`unknown_price` text NOT NULL,
	`content_logging` text NOT NULL,
	`cache` text NOT NULL,
	`policies` text NOT NULL,
	`profile` text,
	`status` text NOT NULL,
	`epoch` integer NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`team`) REFERENCES `teams`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`user`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `keys_team` ON `keys` (`team`);--> statement-breakpoint
CREATE INDEX `keys_user` ON `keys` (`user`);--> statement-breakpoint
CREATE TABLE `models` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`context_tokens` integer,
	`max_output_tokens` integer,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `models_name` ON `models` (`name`);--> statement-breakpoint
CREATE TABLE `prices` (
	`id` text PRIMARY KEY NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`aliases` text NOT NULL,
	`state` text NOT NULL,
	`scope_kind` text NOT NULL,
	`scope_id` text NOT NULL,
	`effective_from` integer NOT NULL,
	`effective_to` integer,
	`rates` text NOT NULL,
	`tiers` text NOT NULL,
	`service_tiers` text NOT NULL,
	`source` text NOT NULL,
	`checked_at` integer NOT NULL,
	`created_by` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `prices_model` ON `prices` (`provider`,`model`);--> statement-breakpoint
CREATE TABLE `providers` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`kind` text NOT NULL,
	`base_url` text NOT NULL,
	`apis` text NOT NULL,
	`credential` text,
	`credential_last4` text,
	`status` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `providers_name` ON `providers` (`name`);--> statement-breakpoint
CREATE TABLE `requests` (
	`id` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`key` text NOT NULL,
	`team` text NOT NULL,
	`user` text,
	`end_user` text,
	`session` text,
	`capability` text NOT NULL,
	`requested` text NOT NULL,
	`provider` text,
	`model` text,
	`stream` integer NOT NULL,
	`http_status` integer NOT NULL,
	`outcome` text NOT NULL,
	`code` text,
	`latency_ms` integer NOT NULL,
	`first_byte_ms` integer,
	`overhead_ms` integer,
	`input_tokens` integer NOT NULL,
	`output_tokens` integer NOT NULL,
	`usd` text NOT NULL,
	`upstream_request_id` text,
	`attempts` text NOT NULL,
	`tags` text NOT NULL,
	`metadata` text NOT NULL,
	`content` text
);
--> statement-breakpoint
CREATE INDEX `requests_at` ON `requests` (`at`);--> statement-breakpoint
CREATE INDEX `requests_team_at` ON `requests` (`team`,`at`);--> statement-breakpoint
CREATE INDEX `requests_key_at` ON `requests` (`key`,`at`);--> statement-breakpoint
CREATE TABLE `teams` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`metadata` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`team` text NOT NULL,
	`name` text NOT NULL,
	`email` text,
	`metadata` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`team`) REFERENCES `teams`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `users_team` ON `users` (`team`);