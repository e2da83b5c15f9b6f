CREATE TABLE `profiles` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`permits` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `profiles_name` ON `profiles` (`name`);--> statement-breakpoint
CREATE TABLE `tasks` (
	`id` text PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`team` text NOT NULL,
	`profile` text NOT NULL,
	`exit_reason` text,
	`created_at` integer NOT NULL,
	`ended_at` integer
);
--> statement-breakpoint
CREATE INDEX `tasks_key_created` ON `tasks` (`key`,`created_at`);--> statement-breakpoint
CREATE INDEX `tasks_unended` ON `tasks` (`key`) WHERE "ended_at" is null;