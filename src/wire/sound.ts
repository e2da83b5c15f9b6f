/** How long a sound is, by what its file says of itself. Nothing is decoded; a file that says nothing is null. */

/** Fewer bytes hold no second of any sound that is transcribed: speech at six kilobits. */
const BYTES_PER_SECOND_MIN = 750;
/** OpenAI's raw sound: 24,000 samples a second of two bytes each. */
const PCM_BYTES_PER_SECOND = 48_000;

const tag = (bytes: Uint8Array, at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Seconds that a file of sound lasts, as its own headers have it; null where they do not say. */
export function secondsOf(bytes: Uint8Array): number | null {
  if (bytes.length < 44) return null;
  switch (tag(bytes, 0)) {
    case "RIFF":
      return wav(bytes);
    case "fLaC":
      return flac(bytes);
    case "OggS":
      return ogg(bytes);
  }
  return tag(bytes, 4) === "ftyp" ? mp4(bytes) : mp3(bytes);
}

/** The longest that a file of so many bytes can last. */
export function secondsMax(bytes: number): number {
  return bytes / BYTES_PER_SECOND_MIN;
}

/** Seconds of what a provider speaks, in the format that it was asked for. */
export function secondsSpoken(bytes: Uint8Array, format: string): number {
  const told = format === "pcm" ? bytes.length / PCM_BYTES_PER_SECOND : format === "aac" ? adts(bytes) : secondsOf(bytes);
  return told ?? secondsMax(bytes.length);
}

/** The length of what is there counts, not what a header that was written ahead says of it. */
function wav(bytes: Uint8Array): number | null {
  const data = view(bytes);
  let perSecond = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = data.getUint32(at + 4, true);
    if (tag(bytes, at) === "fmt " && at + 22 <= bytes.length) perSecond = data.getUint32(at + 12, true) * data.getUint16(at + 20, true);
    if (tag(bytes, at) === "data") return perSecond === 0 ? null : Math.min(size, bytes.length - at - 8) / perSecond;
    at += 8 + size + (size % 2);
  }
  return null;
}

function flac(bytes: Uint8Array): number | null {
  const data = view(bytes);
  const rate = data.getUint32(18) >>> 12;
  const samples = (data.getUint8(21) & 15) * 2 ** 32 + data.getUint32(22);
  return rate === 0 || samples === 0 ? null : samples / rate;
}

/** The last page tells how many samples there were; Opus always counts 48,000 a second. */
function ogg(bytes: Uint8Array): number | null {
  const data = view(bytes);
  const rate = tag(bytes, 28) === "Opus" ? 48_000 : tag(bytes, 29) === "vorb" ? data.getUint32(40, true) : 0;
  if (rate === 0) return null;
  for (let at = bytes.length - 27; at > 0; at--) {
    if (bytes[at] !== 79 || tag(bytes, at) !== "OggS") continue;
    const samples = data.getBigInt64(at + 6, true);
    // A page on which nothing ends says so by a negative count.
    if (samples >= 0n) return Number(samples) / rate;
  }
  return null;
}

/** The movie's header, wherever it stands among the outermost boxes. */
function mp4(bytes: Uint8Array): number | null {
  const data = view(bytes);
  const within = (from: number, to: number, name: string): number => {
    for (let at = from; at + 8 <= to;) {
      const size = data.getUint32(at);
      if (tag(bytes, at + 4) === name) return at + 8;
      if (size < 8) return -1;
      at += size;
    }
    return -1;
  };
  const movie = within(0, bytes.length, "moov");
  const head = movie === -1 ? -1 : within(movie, bytes.length, "mvhd");
  if (head === -1 || head + 32 > bytes.length) return null;
  const long = data.getUint8(head) === 1;
  const scale = data.getUint32(head + (long ? 20 : 12));
  const length = long ? Number(data.getBigUint64(head + 24)) : data.getUint32(head + 16);
  return scale === 0 || length === 0 ? null : length / scale;
}

/** Kilobits by index, of MPEG 1 and of its halved rates (2 and 2.5), layer III. */
const KILOBITS = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const;
const RATES = [44_100, 48_000, 32_000] as const;
/** Of those rates what a version takes: 2.5 a quarter, none that is defined, 2 a half, 1 the whole. */
const SHARES = [0.25, 0, 0.5, 1] as const;

/** Frame by frame: each says its own length. */
function mp3(bytes: Uint8Array): number | null {
  const tagged = tag(bytes, 0).startsWith("ID3");
  const skipped = tagged ? [6, 7, 8, 9].reduce((size, at) => size * 128 + (bytes[at]! & 127), 0) + 10 : 0;
  let seconds = 0;
  let at = skipped;
  while (at + 4 <= bytes.length) {
    const frame = frameAt(bytes, at);
    if (frame === null) break;
    seconds += frame.seconds;
    at += frame.bytes;
  }
  // What follows a frame that cannot be read is taken to go on like what came before: decoders find their way again.
  return seconds === 0 ? null : exact(seconds * Math.max(1, (bytes.length - skipped) / (at - skipped)));
}

/** To the microsecond: a sum of many frames must not be a second longer for an error in its last bit. */
function exact(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}

function frameAt(bytes: Uint8Array, at: number): { readonly seconds: number; readonly bytes: number } | null {
  const [first, second, third] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!];
  const version = (second >> 3) & 3;
  if (first !== 255 || second < 224 || ((second >> 1) & 3) !== 1) return null;
  const halved = version === 3 ? 0 : 1;
  const rate = (RATES[(third >> 2) & 3] ?? 0) * (SHARES[version] ?? 0);
  const kilobits = KILOBITS[halved][third >> 4] ?? 0;
  if (rate === 0 || kilobits === 0) return null;
  const samples = halved === 0 ? 1_152 : 576;
  return { seconds: samples / rate, bytes: Math.floor((samples / 8) * ((kilobits * 1_000) / rate)) + ((third >> 1) & 1) };
}

const ADTS_RATES = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350] as const;

/** A stream of AAC: frames of 1,024 samples, each of which says its own length. */
function adts(bytes: Uint8Array): number | null {
  let seconds = 0;
  for (let at = 0; at + 7 <= bytes.length && bytes[at] === 255 && (bytes[at + 1]! & 246) === 240;) {
    const rate = ADTS_RATES[(bytes[at + 2]! >> 2) & 15];
    const size = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
    if (rate === undefined || size < 7) break;
    seconds += 1_024 / rate;
    at += size;
  }
  return seconds === 0 ? null : exact(seconds);
}
