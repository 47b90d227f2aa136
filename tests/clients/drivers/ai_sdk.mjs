// Vercel's AI SDK, by one of its providers: FUSION_PROVIDER is compatible, openai or anthropic.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, isStepCount, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { CITY, DESCRIPTION, IMAGE, KEY, PDF, SCHEMA, URL, WEATHER } from "./cells.mjs";
import { question, run, waitCalled } from "./cells.mjs";

const baseURL = `${URL}/v1`;
const provider = {
  compatible: () =>
    createOpenAICompatible({
      name: "fusion",
      baseURL,
      apiKey: KEY,
      supportsStructuredOutputs: true,
      includeUsage: true,
    }),
  openai: () => createOpenAI({ baseURL, apiKey: KEY }),
  anthropic: () => createAnthropic({ baseURL, apiKey: KEY }),
}[process.env.FUSION_PROVIDER]();
const steps = stepCountIs ?? isStepCount;
const given = (cell, model = "scripted", parts = []) => ({
  model: provider(`fusion/${model}`),
  messages: [{ role: "user", content: [{ type: "text", text: question(cell) }, ...parts] }],
  maxRetries: 0,
});

await run({
  plain: async () => ({ text: (await generateText(given("plain"))).text }),
  stream: async () => {
    const pieces = [];
    for await (const piece of streamText(given("stream")).textStream) pieces.push(piece);
    return { text: pieces.join(""), pieces: pieces.length };
  },
  tools: async () => {
    let called;
    const get_weather = tool({
      description: DESCRIPTION,
      inputSchema: jsonSchema(CITY),
      execute: async (args) => {
        called = args;
        return WEATHER;
      },
    });
    const asked = { ...given("tools", "tools"), tools: { get_weather }, stopWhen: steps(4) };
    return { text: (await generateText(asked)).text, called };
  },
  structured: async () => {
    const schema = jsonSchema(SCHEMA);
    const { object } = await generateObject({ ...given("structured", "structured"), schema });
    return { object };
  },
  image: async () => {
    const part = { type: "image", image: Buffer.from(IMAGE, "base64"), mediaType: "image/png" };
    return { text: (await generateText(given("image", "scripted", [part]))).text };
  },
  file: async () => {
    const data = Buffer.from(PDF, "base64");
    const part = { type: "file", data, mediaType: "application/pdf", filename: "wet.pdf" };
    return { text: (await generateText(given("file", "scripted", [part]))).text };
  },
  usage: async () => {
    const { usage } = await generateText(given("usage"));
    return { input: usage.inputTokens, output: usage.outputTokens };
  },
  error: async () => ({ text: (await generateText(given("error", "failing"))).text }),
  cancel: async () => {
    const stop = new AbortController();
    const asked = { ...given("cancel", "slow"), abortSignal: stop.signal };
    const reading = generateText(asked).catch(() => undefined);
    await waitCalled();
    stop.abort();
    await reading;
    return {};
  },
});
