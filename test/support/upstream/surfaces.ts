import { mp3 } from "../sounds.ts";
import { type Exchange, paceOf } from "./exchange.ts";
import { CREATED, OPENAI_HEADERS } from "./openai-facts.ts";

/**
 * Pictures, sound, judgements and ranks, as the vendors' references show them: platform.openai.com/docs/api-reference/{images,audio,
 * moderations}, docs.cohere.com/reference/rerank and jina.ai/reranker.
 */

/** One picture of a pixel. */
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=";
/** The usage of the reference's example. */
const IMAGE_USAGE = {
  total_tokens: 100,
  input_tokens: 50,
  output_tokens: 50,
  input_tokens_details: { text_tokens: 10, image_tokens: 40 },
};
const SENTENCE = "Imagine the wildest idea that you've ever had, and you're curious about how it might scale.";

/** The form's plain fields, read as the vendor would, and the size of its files. Refuses what is no form. */
async function formOf({ seen }: Exchange): Promise<{ fields: Record<string, string>; files: Record<string, number> }> {
  const body = new Uint8Array(seen.body);
  const form = await new Response(body, { headers: { "content-type": String(seen.headers["content-type"]) } }).formData();
  const fields: Record<string, string> = {};
  const files: Record<string, number> = {};
  for (const [name, value] of form) {
    if (typeof value === "string") fields[name] = value;
    else files[name] = value.size;
  }
  return { fields, files };
}

function refuse({ json }: Exchange, message: string, param: string): void {
  json(400, { error: { message, type: "invalid_request_error", param, code: null } }, OPENAI_HEADERS);
}

async function events({ begin, write, end, scenario, cut }: Exchange, list: readonly { readonly type: string }[]): Promise<void> {
  begin(OPENAI_HEADERS);
  for (const event of list) {
    if (scenario === "cut-late" && event === list.at(-1)) return cut();
    await write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }
  end();
}

/** https://platform.openai.com/docs/api-reference/images */
export async function images(exchange: Exchange, path: string): Promise<void> {
  const { seen, json, scenario } = exchange;
  const isForm = String(seen.headers["content-type"]).startsWith("multipart/");
  const { fields, files } = isForm ? await formOf(exchange) : { fields: exchange.body as Record<string, string>, files: {} };
  if (path.endsWith("/edits") && isForm && !Object.keys(files).some((name) => name.startsWith("image")))
    return refuse(exchange, "Missing required parameter: 'image'.", "image");
  if (typeof fields["prompt"] !== "string" && !path.endsWith("/variations"))
    return refuse(exchange, "Missing required parameter: 'prompt'.", "prompt");
  const count = Number(fields["n"] ?? 1);
  const kind = path.endsWith("/edits") ? "image_edit" : "image_generation";
  if (String(fields["stream"]) === "true") {
    const partial = { type: `${kind}.partial_image`, b64_json: PIXEL, created_at: CREATED, partial_image_index: 0 };
    const completed = { type: `${kind}.completed`, b64_json: PIXEL, created_at: CREATED, usage: IMAGE_USAGE };
    return events(exchange, [partial, completed]);
  }
  const large = scenario === "large" ? "A".repeat(3_000_000) : PIXEL;
  const data = Array.from({ length: count }, () => ({ b64_json: large }));
  // Models that are billed by the picture tell no usage.
  const perPiece = String(fields["model"]).startsWith("piece") || scenario === "no-usage";
  json(200, { created: CREATED, data, ...(perPiece ? {} : { usage: IMAGE_USAGE }) }, OPENAI_HEADERS);
}

/** https://platform.openai.com/docs/api-reference/audio/createSpeech */
export async function speech(exchange: Exchange): Promise<void> {
  const { body, begin, write, end, scenario, cut, wait } = exchange;
  if (body["stream_format"] === "sse") {
    const delta = { type: "speech.audio.delta", audio: Buffer.from(mp3(2)).toString("base64") };
    const usage = { input_tokens: 14, output_tokens: 101, total_tokens: 115 };
    return events(exchange, [delta, { type: "speech.audio.done", usage } as { type: string }]);
  }
  // 100 frames of 24 ms: 2.4 seconds.
  const sound = Buffer.from(mp3(100));
  begin({ "content-type": "audio/mpeg", ...OPENAI_HEADERS });
  const frame = sound.length / 100;
  for (let at = 0; at < 100; at++) {
    if (paceOf(scenario) > 0) await wait(paceOf(scenario));
    if (scenario === "cut-late" && at === 50) return cut();
    if (!(await write(sound.subarray(at * frame, (at + 1) * frame)))) return;
  }
  end();
}

/** https://platform.openai.com/docs/api-reference/audio/createTranscription */
export async function transcription(exchange: Exchange): Promise<void> {
  const { seen, json, begin, write, end, scenario } = exchange;
  const { fields, files } = await formOf(exchange);
  if (files["file"] === undefined) return refuse(exchange, "Missing required parameter: 'file'.", "file");
  const tokens = {
    type: "tokens",
    input_tokens: 14,
    input_token_details: { text_tokens: 10, audio_tokens: 4 },
    output_tokens: 101,
    total_tokens: 115,
  };
  const duration = { type: "duration", seconds: scenario === "absurd" ? 1_000_000 : 27 };
  const usage = fields["model"] === "whisper-1" ? duration : tokens;
  if (fields["stream"] === "true") {
    const deltas = SENTENCE.split(" ").map((word) => ({ type: "transcript.text.delta", delta: `${word} ` }));
    return events(exchange, [...deltas, { type: "transcript.text.done", text: SENTENCE, usage } as { type: string }]);
  }
  switch (fields["response_format"]) {
    case "text":
    case "srt":
    case "vtt":
      begin({ "content-type": "text/plain; charset=utf-8", ...OPENAI_HEADERS });
      await write(`${SENTENCE}\n`);
      return end();
    case "verbose_json":
      return json(
        200,
        { task: "transcribe", language: "english", duration: 8.47, text: SENTENCE, segments: [], usage: { type: "duration", seconds: 9 } },
        OPENAI_HEADERS,
      );
    default:
      return json(200, seen.path.endsWith("/translations") ? { text: SENTENCE } : { text: SENTENCE, usage }, OPENAI_HEADERS);
  }
}

/** https://platform.openai.com/docs/api-reference/moderations/create */
export function moderation({ body, json }: Exchange): void {
  const result = { flagged: true, categories: { violence: true }, category_scores: { violence: 0.8599265510337075 } };
  json(
    200,
    { id: "modr-0d9740456c391e43c445bf0f010940c7", model: body["model"] ?? "omni-moderation-latest", results: [result] },
    OPENAI_HEADERS,
  );
}

/** Cohere tells the searches that it bills (docs.cohere.com/reference/rerank), Jina the tokens (jina.ai/reranker). */
export function rerank({ body, json }: Exchange): void {
  const documents = body["documents"] as unknown[];
  const results = documents.map((_, index) => ({ index, relevance_score: 0.999071 - index / 10 }));
  if (String(body["model"]).startsWith("jina")) return json(200, { model: body["model"], usage: { total_tokens: 815 }, results });
  json(200, {
    id: "07734bd2-2473-4f07-94e1-0d9f0e6843cf",
    results,
    meta: { api_version: { version: "2" }, billed_units: { search_units: 1 } },
  });
}
