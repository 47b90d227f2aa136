// Anthropic's own client from npm, on Messages.
import Anthropic from "@anthropic-ai/sdk";
import { CITY, DESCRIPTION, IMAGE, KEY, PDF, SCHEMA, URL, WEATHER } from "./cells.mjs";
import { question, run, waitCalled } from "./cells.mjs";

const client = new Anthropic({ baseURL: URL, apiKey: KEY, maxRetries: 0 });
const tool = { name: "get_weather", description: DESCRIPTION, input_schema: CITY };
const given = (content, model = "scripted", options = {}) => ({
  model: `fusion/${model}`,
  max_tokens: 1000,
  messages: [{ role: "user", content }],
  ...options,
});
const ask = (...args) => client.messages.create(given(...args));
const text = (reply) =>
  reply.content
    .filter((block) => block.type === "text")
    .map((block) => block.text)
    .join("");
const part = (type, media_type, data, cell) => [
  { type, source: { type: "base64", media_type, data } },
  { type: "text", text: question(cell) },
];

await run({
  plain: async () => ({ text: text(await ask(question("plain"))) }),
  stream: async () => {
    const pieces = [];
    const stream = client.messages.stream(given(question("stream")));
    stream.on("text", (piece) => pieces.push(piece));
    await stream.finalMessage();
    return { text: pieces.join(""), pieces: pieces.length };
  },
  tools: async () => {
    const asked = given(question("tools"), "tools", { tools: [tool] });
    const first = await client.messages.create(asked);
    const call = first.content.find((block) => block.type === "tool_use");
    const result = { type: "tool_result", tool_use_id: call.id, content: WEATHER };
    asked.messages.push({ role: "assistant", content: first.content });
    asked.messages.push({ role: "user", content: [result] });
    return { text: text(await client.messages.create(asked)), called: call.input };
  },
  structured: async () => {
    const output_config = { format: { type: "json_schema", schema: SCHEMA } };
    const reply = await ask(question("structured"), "structured", { output_config });
    return { object: JSON.parse(text(reply)) };
  },
  image: async () => ({ text: text(await ask(part("image", "image/png", IMAGE, "image"))) }),
  file: async () => ({ text: text(await ask(part("document", "application/pdf", PDF, "file"))) }),
  usage: async () => {
    const { usage } = await ask(question("usage"));
    return { input: usage.input_tokens, output: usage.output_tokens };
  },
  error: async () => ({ text: text(await ask(question("error"), "failing")) }),
  cancel: async () => {
    const stream = client.messages.stream(given(question("cancel"), "slow"));
    stream.done().catch(() => undefined);
    await waitCalled();
    stream.abort();
    return {};
  },
});
