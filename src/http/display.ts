import type { Config } from "#config";
import { type Currency, inCurrency } from "#core";

/** Amounts as they are shown in the deployment's own currency, with the rate and its day. */
export type Display<Name extends string> = { readonly [name in Name]: string } & {
  readonly currency: string;
  readonly rate: string;
  readonly rate_date: string;
};

/** Amounts of USD in the deployment's own currency too; null where it has none. */
export function displayed<Name extends string>({ display }: Config, amounts: Readonly<Record<Name, string>>): Display<Name> | null {
  if (!display) return null;
  return { currency: display.code, rate: display.rate, rate_date: display.date, ...converted(display, amounts) };
}

function converted<Name extends string>(currency: Currency, amounts: Readonly<Record<Name, string>>): Record<Name, string> {
  const entries = Object.entries<string>(amounts).map(([name, usd]) => [name, inCurrency(usd, currency)]);
  return Object.fromEntries(entries) as Record<Name, string>;
}
