import { type Command, EVERYWHERE } from "./command.ts";
import type { Failure } from "./failure.ts";
import { optionOf } from "./option.ts";
import type { Row } from "./gateway.ts";
import { apart, columnsOf, jsonText, pairs, printable, table } from "./print.ts";

/** A failure in the API's own envelope, one line: what a program reads from standard error. */
export function failureJson({ message, facts }: Failure): string {
  const { code = "failed", param = null, details } = facts;
  return jsonText({ error: { message, code, param, ...(details === undefined ? {} : { details }) } });
}

/** A failure for a person: what is wrong, which option it came by, and what the gateway knows about it. */
export function failureLines({ message, facts, exit }: Failure, command: Command | null): string[] {
  const { code, status, param, request, details } = facts;
  const option = param && command ? optionOf({ ...EVERYWHERE, ...command.options }, param) : null;
  const { values, lists } = apart((details ?? {}) as Row);
  const known: [string, unknown][] = [
    ["option", option],
    ["code", status === undefined ? null : `${code} (${status})`],
    ["request", request],
    ...values,
  ];
  const told = known.filter(([, value]) => value !== null && value !== undefined);
  const help = exit === "usage" ? [`tollgate help${command ? ` ${command.name}` : ""} tells more.`] : [];
  const tables = lists
    .filter(([, rows]) => !rows.every((row) => isToldBy(message, row)))
    .flatMap(([, rows]) => table(columnsOf(rows), rows));
  const indented = tables.map((line) => `  ${line}`);
  return [printable(message), ...pairs(told.map(([name, value]) => [`  ${name}`, value])), ...indented, ...help];
}

/** What is wrong, in the words that the message has for it already. */
function isToldBy(message: string, { reason }: Row): boolean {
  return typeof reason === "string" && message.includes(reason);
}
