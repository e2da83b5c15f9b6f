const LOOK_MS = 500;

/**
 * Calls `stop` once whoever runs the script is gone, where that is npm: it tells its shell of a signal, and the shell tells nobody.
 * Without npm a script may outlive its parent, as one does that was sent to the background.
 */
export function whenOrphaned(stop: () => void): void {
  if (!process.env["npm_lifecycle_event"]) return;
  const parent = process.ppid;
  const looking = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(looking);
    stop();
  }, LOOK_MS);
  looking.unref();
}
