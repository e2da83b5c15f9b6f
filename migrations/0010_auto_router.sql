CREATE TABLE `auto_tables` (
	`id` text PRIMARY KEY NOT NULL,
	`content` text NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `requests` ADD `auto` text;--> statement-breakpoint
ALTER TABLE `requests` ADD `refusal` text;