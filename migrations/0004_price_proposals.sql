CREATE TABLE `price_proposals` (
	`id` text PRIMARY KEY NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`proposed` text NOT NULL,
	`current` text,
	`terms` text NOT NULL,
	`source` text NOT NULL,
	`status` text NOT NULL,
	`created_at` integer NOT NULL,
	`decided_at` integer,
	`decided_by` text,
	`price` text
);
--> statement-breakpoint
CREATE INDEX `price_proposals_created` ON `price_proposals` (`created_at`);--> statement-breakpoint
CREATE UNIQUE INDEX `price_proposals_pending` ON `price_proposals` (`provider`,`model`) WHERE "status" = 'pending';--> statement-breakpoint
ALTER TABLE `cost_records` ADD `file_searches` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cost_records` ADD `search_sources` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cost_records` ADD `extras` integer DEFAULT 0 NOT NULL;