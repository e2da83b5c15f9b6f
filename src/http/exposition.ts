import type { Histogram } from "#audit";

/** One value of a metric. Amounts are decimal text, which loses nothing on the way out. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number | string;
}

/** A gauge: its name, what it means, and its samples. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** A gauge of these samples. */
export function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, samples };
}

/**
 * A histogram of a window. Its buckets go down as well as up, which Prometheus's own kind may not, so they are gauges;
 * `histogram_quantile` reads them as they stand, without `rate`.
 */
export function histogram(name: string, what: string, { bounds, count, sumMs }: Histogram): Family[] {
  const help = `${what} A gauge: use histogram_quantile without rate.`;
  const buckets = bounds.map(({ ms, count: value }) => ({ labels: { le: String(ms / 1000) }, value }));
  return [
    gauge(`${name}_bucket`, help, [...buckets, { labels: { le: "+Inf" }, value: count }]),
    gauge(`${name}_sum`, help, [{ value: sumMs / 1000 }]),
    gauge(`${name}_count`, help, [{ value: count }]),
  ];
}

/** Prometheus's text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). */
export function exposition(families: readonly Family[]): string {
  return families
    .map(({ name, help, samples }) =>
      [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} gauge`, ...samples.map((sample) => line(name, sample)), ""].join("\n"),
    )
    .join("");
}

function line(name: string, { labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
}

/** A caller's text may not end its line: names of models come from requests. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
