// Loaded before the scripts, and written in what an old Node can read: that one would stop at the first line of TypeScript with a riddle.
if (!process.features.typescript) {
  console.error(
    `Tollgate did not start. It needs Node 22.18 or newer, and this is ${process.version}. On Linux and Windows "npm ci" brings ` +
      "its own and npm's scripts use it; elsewhere install one from https://nodejs.org.",
  );
  process.exit(1);
}
