CREATE TABLE `provider_credentials` (
	`id` text PRIMARY KEY NOT NULL,
	`provider` text NOT NULL,
	`label` text NOT NULL,
	`origin` text NOT NULL,
	`credential` text NOT NULL,
	`credential_last4` text,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`provider`) REFERENCES `providers`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `provider_credentials_provider` ON `provider_credentials` (`provider`);--> statement-breakpoint
CREATE TABLE `routes` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`strategy` text NOT NULL,
	`sticky` integer NOT NULL,
	`targets` text NOT NULL,
	`retries` integer NOT NULL,
	`backoff_ms` integer NOT NULL,
	`timeout_ms` integer,
	`first_byte_timeout_ms` integer,
	`fall_back_on` text NOT NULL,
	`breaker` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `routes_name` ON `routes` (`name`);