import { killRepeatedly } from "./kill.ts";

/** `npm run durability`: kill -9 under load, twenty times by default (`npm run durability -- 5` for fewer), and a count of what was lost. */
const rounds = Number(process.argv[2] ?? 20);
const findings = await killRepeatedly(rounds, 2_000, (line) => console.log(line));
console.log(findings);
const faults =
  findings.lost.length +
  findings.unbilled.length +
  findings.doubled.length +
  Math.abs(findings.difference) +
  findings.reserved +
  findings.inFlight;
process.exitCode = faults === 0 ? 0 : 1;
