CREATE TABLE `policy_activations` (
	`scope_kind` text NOT NULL,
	`scope_id` text NOT NULL,
	`name` text NOT NULL,
	`lane` text NOT NULL,
	`policy` text NOT NULL,
	`mode` text NOT NULL,
	`canary_percent` integer,
	`on_error` text NOT NULL,
	`compose` text NOT NULL,
	`priority` integer,
	`config` text NOT NULL,
	`generation` integer NOT NULL,
	`activated_by` text NOT NULL,
	`activated_at` integer NOT NULL,
	PRIMARY KEY(`scope_kind`, `scope_id`, `name`, `lane`),
	FOREIGN KEY (`policy`) REFERENCES `policy_versions`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `policy_decisions` (
	`id` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`request` text NOT NULL,
	`team` text NOT NULL,
	`key` text NOT NULL,
	`policy` text NOT NULL,
	`version` text NOT NULL,
	`hash` text NOT NULL,
	`mode` text NOT NULL,
	`scope_kind` text NOT NULL,
	`scope_id` text NOT NULL,
	`stage` text NOT NULL,
	`outcome` text NOT NULL,
	`failure` text,
	`reason` text NOT NULL,
	`metadata` text NOT NULL,
	`obligations` text NOT NULL,
	`fuel` integer NOT NULL,
	`context_digest` text NOT NULL,
	`facts` text
);
--> statement-breakpoint
CREATE INDEX `policy_decisions_at` ON `policy_decisions` (`at`);--> statement-breakpoint
CREATE INDEX `policy_decisions_request` ON `policy_decisions` (`request`);--> statement-breakpoint
CREATE INDEX `policy_decisions_policy_at` ON `policy_decisions` (`policy`,`at`);--> statement-breakpoint
CREATE TABLE `policy_versions` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`version` text NOT NULL,
	`ordinal` integer NOT NULL,
	`hash` text NOT NULL,
	`source` text NOT NULL,
	`described` text NOT NULL,
	`signed_by` text,
	`signature` text,
	`uploaded_by` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `policy_versions_ordinal` ON `policy_versions` (`name`,`ordinal`);--> statement-breakpoint
CREATE INDEX `policy_versions_created` ON `policy_versions` (`created_at`);--> statement-breakpoint
ALTER TABLE `requests` ADD `policies` text;