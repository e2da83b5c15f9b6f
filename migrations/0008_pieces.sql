ALTER TABLE `cost_records` ADD `image_input` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cost_records` ADD `image_output` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cost_records` ADD `characters` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cost_records` ADD `seconds` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cost_records` ADD `rankings` integer DEFAULT 0 NOT NULL;