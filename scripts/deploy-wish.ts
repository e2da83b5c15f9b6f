/** What `npm run deploy` is asked for, or null where that is not clear: a `--dry-run` that is misspelt must not deploy. */
export function wishOf(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): "deploy" | "dry run" | null {
  if (argv.some((word) => word !== "--dry-run")) return null;
  // Without a "--" before it, npm keeps the option for itself, and tells the script by a variable.
  const kept = env["npm_config_dry_run"] === "true" || env["npm_config_dryrun"] === "true";
  return argv.includes("--dry-run") || kept ? "dry run" : "deploy";
}
