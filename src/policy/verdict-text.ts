import type { Finding, Step, Verdict } from "./contract.ts";

/** A verdict on its way out of an isolate: its asker has the steps, so each stands there as its place among them. */
interface Told {
  readonly findings: readonly (Omit<Finding, "step"> & { readonly step: number })[];
  /** Which of the findings is told. */
  readonly denial: number | null;
  readonly obligations: Verdict["obligations"];
}

/** What a chain of these steps came to, as text. */
export function verdictText({ findings, denial, obligations }: Verdict, steps: readonly Step[]): string {
  const told: Told = {
    findings: findings.map((finding) => ({ ...finding, step: steps.indexOf(finding.step) })),
    denial: denial && findings.indexOf(denial),
    obligations,
  };
  return JSON.stringify(told);
}

/** Reads what a chain of these steps came to. @throws where it speaks of others. */
export function verdictOf(text: string, steps: readonly Step[]): Verdict {
  const told = JSON.parse(text) as Told;
  const findings = told.findings.map((finding) => ({ ...finding, step: at(steps, finding.step) }));
  return { findings, denial: told.denial === null ? null : at(findings, told.denial), obligations: told.obligations };
}

function at<Item>(items: readonly Item[], place: number): Item {
  const item = items[place];
  if (item === undefined) throw new RangeError(`the isolate of policies speaks of a place ${place} that there is not`);
  return item;
}
