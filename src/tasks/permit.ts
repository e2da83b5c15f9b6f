import { usdFromNano } from "#core";
import { type Effective, type Profile, SHOWN_CHARACTERS, type Violation } from "./contract.ts";
import { ASKING } from "./engines/contract.ts";
import { hostsOf } from "./hosts.ts";
import { covers } from "./permissions/glob.ts";
import { type Rule, ruleOf, rulesOf, within } from "./permissions/rules.ts";
import { commandsOf } from "./permissions/shell.ts";
import { changes } from "./permissions/tools.ts";
import { deniedBy, Judge, type Permissions } from "./permissions/verdict.ts";
import type { TaskRequest } from "./request.ts";

/** Where a value of what is in force comes from. */
export interface Explanation {
  readonly field: string;
  readonly value: string | number;
  readonly from: "profile" | "request" | "mode";
}

/** What a request may have under a profile, why, and what it asks for beyond that. */
export interface Permit {
  readonly effective: Effective;
  readonly explain: readonly Explanation[];
  readonly violations: readonly Violation[];
}

/** The one resolver: profile and request, met. What a request does not name is the profile's; more than the profile's is a violation. */
export function permit(profile: Profile, request: TaskRequest): Permit {
  const explain: Explanation[] = [];
  const violations: Violation[] = [];
  const limit = (field: "timeout_s" | "cpu_cores" | "memory_mb" | "disk_mb" | "max_cost_usd", most: number): number => {
    const asked = request[field];
    const value = asked ?? most;
    // Money is compared in nano-USD, and told of in USD.
    const told = (amount: number) => (field === "max_cost_usd" ? usdFromNano(amount) : amount);
    explain.push({ field, value: told(value), from: asked === undefined ? "profile" : "request" });
    if (value > most) violations.push({ kind: "limit", name: field, field, reason: `the profile ${profile.name} allows ${told(most)}` });
    return value;
  };
  if (!profile.engines.includes(request.engine)) {
    violations.push(notIn(profile, { kind: "engine", name: request.engine, field: "engine" }));
  }
  violations.push(...deniedIn(profile, request), ...tooMuchIn(profile, request));
  const permissions = permissionsOf(profile, request);
  explain.push(...permissions.explain);
  violations.push(...permissions.violations);
  violations.push(...unshowable(permissions.granted, request));
  const network = hostsOf(profile, request);
  explain.push(...from("network.hosts", network.hosts, "request"), ...from("network.hosts_without", network.without, "mode"));
  violations.push(...network.beyond.map((each) => notIn(profile, { kind: "host", ...each })));
  const readonly = request.mode !== "normal" && profile.filesystem === "readwrite";
  const filesystem = readonly ? "readonly" : profile.filesystem;
  explain.push({ field: "filesystem", value: filesystem, from: readonly ? "mode" : "profile" });
  const effective: Effective = {
    ...permissions.granted,
    engine: request.engine,
    hosts: network.hosts,
    filesystem,
    timeoutS: limit("timeout_s", profile.timeoutS),
    cpuCores: limit("cpu_cores", profile.cpuCores),
    memoryMb: limit("memory_mb", profile.memoryMb),
    diskMb: limit("disk_mb", profile.diskMb),
    maxCostNano: limit("max_cost_usd", profile.maxCostNano),
  };
  return { effective, explain, violations };
}

/** Whether the command that a task consists of waits for a person's word before it begins. */
export function waits(permissions: Permissions, { argv }: Pick<TaskRequest, "argv">): boolean {
  return Boolean(argv) && permissions.mode !== "dry_run" && new Judge(permissions).asks(commandsOf(argv ?? []));
}

/** A command that waits for a person who could not be shown it. */
function unshowable(permissions: Permissions, request: TaskRequest): Violation[] {
  if (JSON.stringify(request.argv ?? []).length <= SHOWN_CHARACTERS || !waits(permissions, request)) return [];
  const reason = `waits for a person's word, and is longer than the ${SHOWN_CHARACTERS} characters that are shown`;
  return [{ kind: "limit", name: "argv", field: "argv", reason }];
}

/** Files that the disk has no room for. */
function tooMuchIn({ diskMb }: Profile, { files, disk_mb: asked = diskMb }: TaskRequest): Violation[] {
  const disk = Math.min(asked, diskMb) * 2 ** 20;
  const encoder = new TextEncoder();
  const sizes = files.map(({ text, base64 = "" }) =>
    text === undefined ? Math.ceil((base64.length * 3) / 4) : encoder.encode(text).length,
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return bytes <= disk
    ? []
    : [{ kind: "limit", name: "files", field: "files", reason: `come to ${bytes} bytes, and the disk has ${disk}` }];
}

/** A command that a task consists of is judged as one that an agent runs; what cannot be told of it the sandbox holds. */
function deniedIn(profile: Profile, { argv }: TaskRequest): Violation[] {
  const commands = [{ words: argv ?? [], writes: [], told: true }, ...(commandsOf(argv ?? []) ?? [])];
  const pattern = deniedBy(profile.deniedCommands, commands);
  return pattern === null
    ? []
    : [{ kind: "command", name: pattern, field: "argv", reason: `the profile ${profile.name} denies ${pattern}` }];
}

interface Granted {
  readonly granted: Permissions;
  readonly explain: readonly Explanation[];
  readonly violations: readonly Violation[];
}

/** What the profile allows and the request asks for, and of that what the mode leaves. */
function permissionsOf(profile: Profile, request: TaskRequest): Granted {
  const { mode, allow_tools: asked, allow_agents: agents, allow_skills: skills } = request;
  const tools = rulesOf(profile.tools);
  const approveTools = [...new Set([...(profile.approveTools ?? []), ...request.approve_tools])];
  const allowed = asked.length === 0 ? profile.tools : asked;
  const left = allowed.filter((text) => mode !== "analysis_only" || !isLost(ruleOf(text)));
  const granted = {
    mode,
    tools: left,
    agents: agents.length === 0 ? profile.agents : agents,
    skills: skills.length === 0 ? profile.skills : skills,
    deniedCommands: profile.deniedCommands,
    approveTools,
  };
  const explain = [
    ...from("tools", left, asked.length === 0 ? "profile" : "request"),
    ...from("tools_without", allowed.filter((text) => !left.includes(text)), "mode"), // prettier-ignore
    ...from("agents", granted.agents, agents.length === 0 ? "profile" : "request"),
    ...from("skills", granted.skills, skills.length === 0 ? "profile" : "request"),
    ...from("denied_commands", granted.deniedCommands, "profile"),
    ...from("approve_tools", profile.approveTools ?? [], "profile"),
    ...from("approve_tools", request.approve_tools, "request"),
  ];
  const beyond = (kind: "agent" | "skill", field: string, mine: readonly string[], theirs: readonly string[]) =>
    mine.flatMap((name, at) =>
      theirs.some((each) => covers(each, name)) ? [] : [notIn(profile, { kind, name, field: `${field}.${at}` })],
    );
  const violations = [
    ...asked.flatMap((name, at) => (isWithin(tools, name) ? [] : [notIn(profile, { kind: "tool", name, field: `allow_tools.${at}` })])),
    ...beyond("agent", "allow_agents", agents, profile.agents),
    ...beyond("skill", "allow_skills", skills, profile.skills),
    ...unapprovable(request, rulesOf(allowed)),
  ];
  return { granted, explain, violations };
}

/** What only changes is lost to a task that only reads. Its commands read: they have nothing that they could write. */
function isLost(rule: Rule | null): boolean {
  return rule !== null && !rule.tool.includes("*") && rule.tool !== "Bash" && changes(rule.tool);
}

/** What is to wait must be something that can be called; a command's own arguments are no tool's. */
function unapprovable({ engine, approve_tools: asked }: TaskRequest, allowed: readonly Rule[]): Violation[] {
  return asked.flatMap((name, at): Violation[] => {
    const field = `approve_tools.${at}`;
    const rule = ruleOf(name);
    if (engine === "command") return rule?.tool === "Bash" ? [] : [{ kind: "tool", name, field, reason: "a command waits as Bash" }];
    if (!ASKING.has(engine)) return [{ kind: "tool", name, field, reason: `the engine ${engine} asks nobody before it acts` }];
    return isWithin(allowed, name) ? [] : [{ kind: "tool", name, field, reason: "not among the tools that this task may use" }];
  });
}

function isWithin(rules: readonly Rule[], text: string): boolean {
  const rule = ruleOf(text);
  return rule !== null && within(rules, rule);
}

function from(field: string, values: readonly string[], source: Explanation["from"]): Explanation[] {
  return values.map((value) => ({ field, value, from: source }));
}

function notIn({ name }: Profile, what: Omit<Violation, "reason">): Violation {
  return { ...what, reason: `${what.name} is not in the profile ${name}` };
}
