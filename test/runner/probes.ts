/** One try to get out of the sandbox: a script that exits 0 where it got something it should not have. */
export interface Probe {
  readonly name: string;
  readonly script: string;
  /** Why it cannot succeed even outside, on some machines or on all. */
  readonly outside?: string;
  /** What only the system call filter holds. */
  readonly filtered?: true;
}

/** What the probes look for, made by the test on the host. */
export interface Bait {
  readonly port: number;
  readonly abstract: string;
  readonly socket: string;
  readonly secret: string;
  readonly pid: number;
}

/** Calls the kernel. What was refused for who asks, or is not there, is held; any other answer means that the kernel did listen. */
const PRELUDE = String.raw`
sys() { perl -e '($n, @a) = map { /^-?\d+$/ ? $_ + 0 : $_ } @ARGV; $r = syscall($n, @a); exit 0 if $r != -1; $e = $! + 0; exit(($e == 1 || $e == 13 || $e == 38 || $e == 97) ? 1 : 0)' "$@"; }
routed() { perl -MSocket -e 'socket(S, $ARGV[0] eq "6" ? AF_INET6 : AF_INET, SOCK_DGRAM, 0) or exit 1; connect(S, $ARGV[0] eq "6" ? pack_sockaddr_in6(53, inet_pton(AF_INET6, $ARGV[1])) : pack_sockaddr_in(53, inet_aton($ARGV[1]))) or exit 1' "$@"; }
`;

const CLONE = {
  newtime: 0x80,
  newns: 0x20000,
  newcgroup: 0x2000000,
  newuts: 0x4000000,
  newipc: 0x8000000,
  newuser: 0x10000000,
  newpid: 0x20000000,
  newnet: 0x40000000,
};

const call = (name: string, number: number, args: readonly (number | string)[], rest: Partial<Probe> = {}): Probe => ({
  name: `call ${name}`,
  script: `sys ${[number, ...args.map((each) => (typeof each === "number" ? each : `'${each}'`))].join(" ")}`,
  ...rest,
});

const readable = (path: string, rest: Partial<Probe> = {}): Probe => ({
  name: `read ${path}`,
  script: `head -c 1 '${path}' | grep -q .`,
  ...rest,
});
/** Opened for appending, and nothing appended. */
const writable = (path: string, rest: Partial<Probe> = {}): Probe => ({ name: `open ${path} to write`, script: `: >> '${path}'`, ...rest });
const family = (name: string, number: number, type: number, rest: Partial<Probe> = {}): Probe =>
  call(`socket ${name}`, 41, [number, type, 0], rest);

const NO_FAMILY = "the kernel may lack the family";
const NO_DEVICE = "the machine may lack the device";
const NO_ROUTE = "the machine may have no route";

/** Every try, and what it needs of the host. */
export function probesOf({ port, abstract, socket, secret, pid }: Bait): Probe[] {
  return [
    { name: "the host's loopback", script: `exec 3<>/dev/tcp/127.0.0.1/${port}` },
    { name: "the metadata address", script: "routed 4 169.254.169.254", outside: NO_ROUTE },
    { name: "a public address", script: "routed 4 192.0.2.1", outside: NO_ROUTE },
    { name: "a public address of version 6", script: "routed 6 2001:db8::1", outside: NO_ROUTE },
    { name: "an interface besides its own loopback", script: "tail -n +3 /proc/net/dev | grep -qv '^ *lo:'" },
    {
      name: "an abstract socket of the host",
      script: `perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un("\\0${abstract}")) or exit 1'`,
    },
    {
      name: "a named socket of the host",
      script: `perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un("${socket}")) or exit 1'`,
    },
    family("netlink", 16, 3, { filtered: true }),
    family("vsock", 40, 1, { filtered: true, outside: NO_FAMILY }),
    family("packet", 17, 3, { outside: NO_FAMILY }),
    family("alg", 38, 5, { outside: NO_FAMILY }),
    family("bluetooth", 31, 1, { outside: NO_FAMILY }),
    family("tipc", 30, 1, { outside: NO_FAMILY }),
    family("can", 29, 3, { outside: NO_FAMILY }),
    family("xdp", 44, 3, { outside: NO_FAMILY }),
    family("rds", 21, 5, { outside: NO_FAMILY }),
    call("socket raw", 41, [2, 3, 1]),

    readable(secret),
    readable(`/proc/1/root${secret}`, { outside: "the first process may have another root" }),
    readable(`/proc/self/root/../../..${secret}`),
    {
      name: "a secret by a link",
      script: `ln -s '${secret}' /tmp/link.$$ && head -c 1 /tmp/link.$$ | grep -q .; r=$?; rm -f /tmp/link.$$; exit $r`,
    },
    { name: "a secret by a hard link", script: `ln '${secret}' /tmp/hard.$$ && rm -f /tmp/hard.$$` },
    readable("/etc/shadow"),
    readable("/etc/hostname"),
    { name: "the root user's home", script: "ls /root" },
    { name: "logs", script: "ls /var/log" },
    {
      name: "the launcher's environment",
      script: "grep -qa canary-of-the-launcher /proc/[0-9]*/environ",
      outside: "outside it is started with another",
    },
    {
      name: "an open file of the launcher",
      script: "ls -l /proc/self/fd /proc/$PPID/fd | grep -E -- '-> /' | grep -vE ' /dev/(null|pts)| /proc/|/workspace|bash|/tmp/'",
      outside: "outside it is started with none",
    },
    writable("/usr/probe.tmp", { script: ": >> /usr/probe.tmp && rm -f /usr/probe.tmp" }),
    writable("/etc/probe.tmp", { script: ": >> /etc/probe.tmp && rm -f /etc/probe.tmp" }),
    writable("/probe.tmp", { script: ": >> /probe.tmp && rm -f /probe.tmp" }),
    writable("/dev/probe.tmp", { script: ": >> /dev/probe.tmp && rm -f /dev/probe.tmp" }),
    {
      name: "set-uid in the workspace",
      script: "mount | grep -E ' on /workspace ' | grep -vq nosuid",
      outside: "there is no workspace outside",
    },

    writable("/proc/sysrq-trigger", { outside: "the kernel may lack it" }),
    writable("/proc/sys/kernel/core_pattern"),
    writable("/proc/sys/kernel/hostname"),
    writable("/proc/sys/vm/drop_caches"),
    writable("/proc/sys/kernel/modprobe", { outside: "the kernel may lack modules" }),
    writable("/proc/sys/kernel/threads-max"),
    { name: "open /proc/kcore", script: "exec 3< /proc/kcore", outside: "the kernel may be locked" },
    { name: "open /proc/kmsg", script: "exec 3< /proc/kmsg", outside: "the kernel may be locked" },
    {
      name: "addresses of the kernel",
      script: "grep -qv '^0000000000000000' /proc/kallsyms",
      outside: "the kernel may hide them from all",
    },
    { name: "/sys", script: "ls /sys/class" },
    {
      name: "a cgroup of one's own",
      script:
        "mkdir /sys/fs/cgroup/probe.$$ || mkdir /sys/fs/cgroup/memory/probe.$$; r=$?; rmdir /sys/fs/cgroup/probe.$$ /sys/fs/cgroup/memory/probe.$$; exit $r",
    },
    { name: "open /dev/mem", script: "exec 3< /dev/mem", outside: NO_DEVICE },
    { name: "open /dev/kmsg", script: "exec 3< /dev/kmsg", outside: NO_DEVICE },
    { name: "open /dev/fuse", script: "exec 3<> /dev/fuse", outside: NO_DEVICE },
    { name: "open /dev/kvm", script: "exec 3<> /dev/kvm", outside: NO_DEVICE },
    { name: "open /dev/net/tun", script: "exec 3<> /dev/net/tun", outside: NO_DEVICE },
    {
      name: "a disk",
      script: "for d in /dev/vda /dev/sda /dev/nvme0n1 /dev/xvda; do (exec 3< $d) && exit 0; done; exit 1",
      outside: NO_DEVICE,
    },
    { name: "a device node of one's own", script: "mknod /tmp/null.$$ c 1 3 && (: > /tmp/null.$$); r=$?; rm -f /tmp/null.$$; exit $r" },

    ...Object.entries(CLONE).map(([name, flag]) => {
      // The others want a privilege first; a user namespace of one's own would give it.
      const rest = name === "newuser" ? ({ outside: "the machine may forbid them to all" } as const) : {};
      return call(`unshare ${name}`, 272, [flag], rest);
    }),
    call("clone into a user namespace", 56, [CLONE.newuser | 17, 0, 0, 0, 0], { outside: "the machine may forbid them to all" }),
    { name: "a sandbox in the sandbox", script: "unshare --user --map-root-user true", outside: "the machine may forbid them to all" },
    {
      name: "entering the namespace of another",
      script: 'perl -e \'open(F, "<", "/proc/1/ns/mnt") or exit 1; $r = syscall(308, fileno(F), 0); exit($r == 0 ? 0 : 1)\'',
      outside: "the first process may be another machine's",
    },
    { name: "mounting", script: "mkdir -p /tmp/m.$$ && mount -t tmpfs none /tmp/m.$$ && umount /tmp/m.$$" },
    { name: "a root that can be written to", script: "touch /usr/probe.tmp || mount -o remount,rw /; r=$?; rm -f /usr/probe.tmp; exit $r" },
    call("umount", 166, ["/nowhere", 0]),
    call("pivot_root", 155, ["/nowhere", "/nowhere"]),
    call("chroot", 161, ["/tmp"]),
    call("open_tree", 428, [-100, "/tmp", 1]),
    call("move_mount", 429, [-1, "/nowhere", -1, "/nowhere", 0]),
    call("fsopen", 430, ["tmpfs", 0]),
    call("mount_setattr", 442, [-1, "/nowhere", 0, 0, 0]),

    { name: "seeing a process of the host", script: `[ -d /proc/${pid} ] && tr '\\0' ' ' < /proc/${pid}/cmdline | grep -q node` },
    { name: "signalling a process of the host", script: `kill -0 ${pid} && tr '\\0' ' ' < /proc/${pid}/cmdline | grep -q node` },
    call("ptrace", 101, [0, 0, 0, 0], { filtered: true }),
    call("process_vm_readv of the first process", 310, [1, 0, 0, 0, 0, 0], { filtered: true }),
    call("kcmp with the first process", 312, [1, 1, 0, 0, 0], { outside: "the kernel may lack it" }),
    call("pidfd_getfd", 438, [-1, 0, 0], { filtered: true }),
    { name: "becoming root", script: "perl -e '$< = 0; $> = 0; exit($> == 0 ? 0 : 1)'" },
    { name: "the root group", script: 'perl -e \'$( = 0; $) = "0 0"; exit($) eq "0 0" ? 0 : 1)\'' },
    { name: "a capability", script: "grep -E '^Cap(Eff|Prm|Bnd|Amb)' /proc/self/status | grep -qv 0000000000000000" },
    { name: "privileges to be had", script: "grep -q '^NoNewPrivs:.0' /proc/self/status" },
    { name: "the host's name", script: `[ "$(cat /proc/sys/kernel/hostname)" != sandbox ]` },

    call("add_key", 248, ["user", "probe", "x", 1, -2], { filtered: true }),
    call("request_key", 249, ["user", "nothing-of-the-kind", 0, 0], { filtered: true }),
    call("keyctl", 250, [0, -3, 0], { filtered: true }),
    call("bpf", 321, [0, 0, 0]),
    call("perf_event_open", 298, [0, 0, -1, -1, 0], { filtered: true, outside: "the kernel may lack it" }),
    call("userfaultfd", 323, [0]),
    call("io_uring_setup", 425, [1, 0], { filtered: true, outside: "the machine may forbid it to all" }),
    call("fanotify_init", 300, [0, 0]),
    call("name_to_handle_at", 303, [-100, "/tmp", 0, 0, 0], { filtered: true }),
    call("open_by_handle_at", 304, [-1, 0, 0]),
    call("modify_ldt", 154, [0, 0, 0], { filtered: true, outside: "the kernel may lack it" }),
    call("personality", 135, [0x40000], { filtered: true }),
    call("iopl", 172, [3], { outside: "the kernel may lack it" }),
    call("init_module", 175, [0, 0, ""], { outside: "the kernel may lack modules" }),
    call("delete_module", 176, ["nothing-of-the-kind", 0], { outside: "the kernel may lack modules" }),
    call("kexec_load", 246, [0, 0, 0, 0], { outside: "the kernel may lack it" }),
    call("syslog", 103, [3, 0, 0]),
    call("swapon", 167, ["/nowhere", 0]),
    call("quotactl", 179, [0, 0, 0, 0], { filtered: true, outside: "the kernel may lack it" }),
    call("clock_settime", 227, [0, 0]),
    call("reboot without its magic", 169, [0, 0, 0, 0]),
    call("mbind", 237, [0, 0, 0, 0, 0, 0], { filtered: true, outside: "the kernel may lack it" }),
    call("move_pages", 279, [1, 0, 0, 0, 0, 0], { filtered: true, outside: "the kernel may lack it" }),
    call("typing into a terminal", 16, [0, 0x5412, "x"], { filtered: true }),
    call("statmount", 457, [0, 0, 0, 0], { filtered: true, outside: "the kernel may lack it" }),
    call("a call of the x32 interface", 0x40000000 + 39, [], { outside: "the kernel may lack it" }),
  ];
}

/** A script that tries all of them, each by itself, and prints each one's number and exit. */
export function scriptOf(probes: readonly Probe[]): string {
  const tries = probes.map(
    ({ script }, nth) => `( export -f sys routed; exec timeout 5 bash -c ${quoted(script)} ) </dev/null >/dev/null 2>&1; echo "${nth} $?"`,
  );
  return `${PRELUDE}\n${tries.join("\n")}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
