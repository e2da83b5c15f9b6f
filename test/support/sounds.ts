/** A WAV file of silence: mono, 16 bits, 8,000 samples a second. */
export function wav(seconds: number, rate = 8_000): Uint8Array<ArrayBuffer> {
  const size = Math.round(seconds * rate) * 2;
  const bytes = new Uint8Array(44 + size);
  const view = new DataView(bytes.buffer);
  const write = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  write(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, size, true);
  return bytes;
}

/** An MP3 file of `frames` frames: MPEG 2, layer III, 160 kilobits, 24,000 samples a second, as OpenAI's voices make them: 24 ms each. */
export function mp3(frames: number): Uint8Array<ArrayBuffer> {
  const size = Math.floor((576 / 8) * (160_000 / 24_000));
  const bytes = new Uint8Array(frames * size);
  for (let frame = 0; frame < frames; frame++) bytes.set([0xff, 0xf3, 0xe4, 0xc4], frame * size);
  return bytes;
}
