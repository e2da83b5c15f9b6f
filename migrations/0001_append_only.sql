CREATE TRIGGER cost_records_no_update BEFORE UPDATE ON cost_records BEGIN SELECT RAISE(ABORT, 'cost records are append-only'); END;
--> statement-breakpoint
CREATE TRIGGER cost_records_no_delete BEFORE DELETE ON cost_records BEGIN SELECT RAISE(ABORT, 'cost records are append-only'); END;
--> statement-breakpoint
CREATE TRIGGER audit_entries_no_update BEFORE UPDATE ON audit_entries BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END;
--> statement-breakpoint
CREATE TRIGGER audit_entries_no_delete BEFORE DELETE ON audit_entries BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END;
--> statement-breakpoint
INSERT INTO teams (id, name, metadata, created_at) VALUES ('team_default', 'Default', '{}', 0);
