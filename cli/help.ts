import { type Command, EVERYWHERE } from "./command.ts";
import type { OptionTable } from "./option.ts";

const EXITS = `Exit codes
  0  done                  3  no gateway answered
  1  refused, or failed    4  a budget or a check says no
  2  wrong command line    130  interrupted`;

const LINE_MAX = 140;
const START = `Keys, budgets, costs, routes and policies of a Tollgate gateway, from the command line.

First steps
  export TOLLGATE_URL=https://gateway.example.com    http://127.0.0.1:8787 where it is not set
  export TOLLGATE_ADMIN_KEY=…                        in .dev.vars after npm start
  tollgate status                                    is it there, and who am I to it?
  tollgate keys create intern --limit-usd 5 --window day`;

/** A page of help: of one command, of a group (`keys`), or of everything (the empty topic). */
export function helpPage(topic: string, commands: readonly Command[]): string {
  const command = commands.find(({ name }) => name === topic);
  if (command) return `${pageOf(command)}\n`;
  const listed = commands.filter(({ name }) => topic === "" || name.startsWith(`${topic} `));
  const parts = [
    topic === "" ? START : `tollgate ${topic} …`,
    `Commands\n${columns(listed.map(({ name, operands, summary }) => [[name, ...operands].join(" "), summary]))}`,
    topic === "" ? "" : `Examples\n${examples(listed.map((each) => each.examples[0]!))}`,
    `Options everywhere\n${optionLines(EVERYWHERE)}`,
    EXITS,
    topic === "" ? "tollgate help keys tells about a group, tollgate help keys create about one command." : "",
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function pageOf({ name, operands, summary, more, options, examples: shown }: Command): string {
  const usage = ["tollgate", name, ...operands, ...(Object.keys(options).length > 0 ? ["[options]"] : [])].join(" ");
  const parts = [
    `${usage}\n\n${summary}`,
    more ?? "",
    Object.keys(options).length > 0 ? `Options\n${optionLines(options)}` : "",
    `Examples\n${examples(shown)}`,
    `Options everywhere\n${optionLines(EVERYWHERE)}`,
    EXITS,
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function optionLines(options: OptionTable): string {
  return columns(
    Object.entries(options).map(([name, { value, about, many }]) => [
      value === undefined ? `--${name}` : `--${name} ${value}`,
      `${about}${many ? " (may be repeated)" : ""}`,
    ]),
  );
}

function examples(shown: readonly (readonly [line: string, purpose: string])[]): string {
  return shown.map(([line, purpose]) => `  # ${purpose}\n  tollgate ${line}`).join("\n");
}

function columns(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([left]) => left.length));
  const indent = " ".repeat(width + 4);
  return lines
    .map(([left, right]) => `  ${left.padEnd(width)}  ${wrapped(right, LINE_MAX - indent.length).join(`\n${indent}`)}`)
    .join("\n");
}

function wrapped(text: string, most: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1) ?? ""} ${word}`.trimStart();
    if (lines.length === 0 || longer.length > most) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
