/** Writes a classic BPF program: what a sandboxed process may ask of the kernel. Only for x86-64, the one machine it has been seen on. */

const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

/** Offsets in `struct seccomp_data`. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const argument = (nth: number) => 16 + nth * 8;

const X86_64 = 0xc000003e;
/** Calls with this bit are of the x32 interface, under which every number has a second name. */
const X32 = 0x40000000;

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const refuse = (errno: number) => 0x00050000 | errno;
const EPERM = refuse(1);
const ENOSYS = refuse(38);
const EAFNOSUPPORT = refuse(97);

/**
 * Calls that no build, test or agent needs, each of which has been a way out of a container: other namespaces and mounts, other
 * processes' memory, keys, kernel programs and rings, the machine's clock, modules and boot.
 */
const DENIED: Readonly<Record<string, number>> = {
  ptrace: 101,
  syslog: 103,
  uselib: 134,
  vhangup: 153,
  modify_ldt: 154,
  pivot_root: 155,
  _sysctl: 156,
  adjtimex: 159,
  chroot: 161,
  acct: 163,
  settimeofday: 164,
  mount: 165,
  umount2: 166,
  swapon: 167,
  swapoff: 168,
  reboot: 169,
  sethostname: 170,
  setdomainname: 171,
  iopl: 172,
  ioperm: 173,
  create_module: 174,
  init_module: 175,
  delete_module: 176,
  get_kernel_syms: 177,
  query_module: 178,
  quotactl: 179,
  nfsservctl: 180,
  lookup_dcookie: 212,
  clock_settime: 227,
  mbind: 237,
  set_mempolicy: 238,
  get_mempolicy: 239,
  kexec_load: 246,
  add_key: 248,
  request_key: 249,
  keyctl: 250,
  migrate_pages: 256,
  unshare: 272,
  move_pages: 279,
  perf_event_open: 298,
  fanotify_init: 300,
  name_to_handle_at: 303,
  open_by_handle_at: 304,
  clock_adjtime: 305,
  setns: 308,
  process_vm_readv: 310,
  process_vm_writev: 311,
  kcmp: 312,
  finit_module: 313,
  kexec_file_load: 320,
  bpf: 321,
  userfaultfd: 323,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  pidfd_getfd: 438,
  process_madvise: 440,
  mount_setattr: 442,
  quotactl_fd: 443,
  memfd_secret: 447,
  set_mempolicy_home_node: 450,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
};

/** The last call that was looked at. What kernels have learned since is refused as unknown. */
const LAST_KNOWN = 462;

const IOCTL = 16;
const SOCKET = 41;
const SOCKETPAIR = 53;
const CLONE = 56;
const PERSONALITY = 135;
const CLONE3 = 435;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
/** Any of CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NEW_ANY = 0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;
/** Typing into, drawing on or taking over the terminal of whoever started the sandbox. */
const TERMINAL_TRICKS = [0x5412, 0x541c, 0x5423];

type Instruction = readonly [code: number, value: number, ifTrue?: number, ifFalse?: number];

/** Ends the program with an answer where the loaded value equals another. */
const when = (value: number, answer: number): Instruction[] => [
  [IF_EQUAL, value, 0, 1],
  [RETURN, answer],
];

/** Looks at one argument of one call; ends the program either way. */
function onCall(number: number, nth: number, look: readonly Instruction[], otherwise: number): Instruction[] {
  const body: Instruction[] = [[LOAD, argument(nth)], ...look, [RETURN, otherwise]];
  return [[IF_EQUAL, number, 0, body.length], ...body];
}

function program(): Instruction[] {
  return [
    [LOAD, ARCHITECTURE],
    [IF_EQUAL, X86_64, 1, 0],
    [RETURN, KILL],
    [LOAD, NUMBER],
    [IF_AT_LEAST, X32, 0, 1],
    [RETURN, ENOSYS],
    [IF_AT_LEAST, LAST_KNOWN + 1, 0, 1],
    [RETURN, ENOSYS],
    // Its flags lie in memory, where nobody can look at them in time; C libraries fall back to clone.
    ...when(CLONE3, ENOSYS),
    ...Object.values(DENIED).flatMap((number) => when(number, EPERM)),
    ...onCall(
      CLONE,
      0,
      [
        [IF_ANY_BIT, CLONE_NEW_ANY, 0, 1],
        [RETURN, EPERM],
      ],
      ALLOW,
    ),
    ...onCall(
      SOCKET,
      0,
      [AF_UNIX, AF_INET, AF_INET6].flatMap((family) => when(family, ALLOW)),
      EAFNOSUPPORT,
    ),
    ...onCall(SOCKETPAIR, 0, when(AF_UNIX, ALLOW), EAFNOSUPPORT),
    ...onCall(
      IOCTL,
      1,
      TERMINAL_TRICKS.flatMap((request) => when(request, EPERM)),
      ALLOW,
    ),
    ...onCall(
      PERSONALITY,
      0,
      [0, 0xffffffff].flatMap((value) => when(value, ALLOW)),
      EPERM,
    ),
    [RETURN, ALLOW],
  ];
}

/** The filter as the kernel reads it; null on machines whose calls have other numbers. */
export function seccompFilter(architecture: string = process.arch): Uint8Array | null {
  if (architecture !== "x64") return null;
  const instructions = program();
  const bytes = new DataView(new ArrayBuffer(instructions.length * 8));
  for (const [nth, [code, value, ifTrue = 0, ifFalse = 0]] of instructions.entries()) {
    bytes.setUint16(nth * 8, code, true);
    bytes.setUint8(nth * 8 + 2, ifTrue);
    bytes.setUint8(nth * 8 + 3, ifFalse);
    bytes.setUint32(nth * 8 + 4, value >>> 0, true);
  }
  return new Uint8Array(bytes.buffer);
}
