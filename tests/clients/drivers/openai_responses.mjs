// OpenAI's own client from npm, on Responses.
import OpenAI from "openai";
import { CITY, DESCRIPTION, IMAGE, KEY, PDF, SCHEMA, URL, WEATHER } from "./cells.mjs";
import { question, run, waitCalled } from "./cells.mjs";

const client = new OpenAI({ baseURL: `${URL}/v1`, apiKey: KEY, maxRetries: 0 });
const tool = {
  type: "function",
  name: "get_weather",
  description: DESCRIPTION,
  parameters: CITY,
  strict: true,
};
const ask = (input, model = "scripted", options = {}) =>
  client.responses.create({ model: `fusion/${model}`, input, ...options });
const told = (cell, ...parts) => [
  { role: "user", content: [{ type: "input_text", text: question(cell) }, ...parts] },
];

await run({
  plain: async () => ({ text: (await ask(question("plain"))).output_text }),
  stream: async () => {
    const pieces = [];
    for await (const event of await ask(question("stream"), "scripted", { stream: true }))
      if (event.type === "response.output_text.delta") pieces.push(event.delta);
    return { text: pieces.join(""), pieces: pieces.length };
  },
  tools: async () => {
    const input = told("tools");
    const first = await ask(input, "tools", { tools: [tool] });
    const call = first.output.find((item) => item.type === "function_call");
    input.push(...first.output);
    input.push({ type: "function_call_output", call_id: call.call_id, output: WEATHER });
    const end = await ask(input, "tools", { tools: [tool] });
    return { text: end.output_text, called: JSON.parse(call.arguments) };
  },
  structured: async () => {
    const format = { type: "json_schema", name: "weather", schema: SCHEMA, strict: true };
    const reply = await ask(question("structured"), "structured", { text: { format } });
    return { object: JSON.parse(reply.output_text) };
  },
  image: async () => {
    const image_url = `data:image/png;base64,${IMAGE}`;
    const part = { type: "input_image", image_url, detail: "auto" };
    return { text: (await ask(told("image", part))).output_text };
  },
  file: async () => {
    const file_data = `data:application/pdf;base64,${PDF}`;
    const part = { type: "input_file", filename: "wet.pdf", file_data };
    return { text: (await ask(told("file", part))).output_text };
  },
  usage: async () => {
    const { usage } = await ask(question("usage"));
    return { input: usage.input_tokens, output: usage.output_tokens };
  },
  error: async () => ({ text: (await ask(question("error"), "failing")).output_text }),
  cancel: async () => {
    const events = await ask(question("cancel"), "slow", { stream: true });
    await waitCalled();
    events.controller.abort();
    return {};
  },
});
