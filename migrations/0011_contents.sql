CREATE TABLE `request_contents` (
	`request` text NOT NULL,
	`side` text NOT NULL,
	`at` integer NOT NULL,
	`key` text NOT NULL,
	`team` text NOT NULL,
	`mode` text NOT NULL,
	`altered` integer NOT NULL,
	`sealed` text NOT NULL,
	PRIMARY KEY(`request`, `side`)
);
--> statement-breakpoint
CREATE INDEX `request_contents_at` ON `request_contents` (`at`);--> statement-breakpoint
CREATE INDEX `request_contents_key` ON `request_contents` (`key`);--> statement-breakpoint
ALTER TABLE `keys` DROP COLUMN `policies`;--> statement-breakpoint
ALTER TABLE `requests` DROP COLUMN `content`;