ALTER TABLE `tasks` ADD `engine` text DEFAULT 'command' NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `model` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `score` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `comment` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `scored_at` integer;--> statement-breakpoint
CREATE INDEX `tasks_created` ON `tasks` (`created_at`);