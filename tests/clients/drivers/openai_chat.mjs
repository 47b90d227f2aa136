// OpenAI's own client from npm, on chat completions.
import OpenAI from "openai";
import { CITY, DESCRIPTION, IMAGE, KEY, PDF, SCHEMA, URL, WEATHER } from "./cells.mjs";
import { question, run, waitCalled } from "./cells.mjs";

const client = new OpenAI({ baseURL: `${URL}/v1`, apiKey: KEY, maxRetries: 0 });
const tool = {
  type: "function",
  function: { name: "get_weather", description: DESCRIPTION, parameters: CITY },
};
const ask = (content, model = "scripted", options = {}) =>
  client.chat.completions.create({
    model: `fusion/${model}`,
    messages: [{ role: "user", content }],
    ...options,
  });
const text = (reply) => reply.choices[0].message.content;
const parts = (cell, part) => [{ type: "text", text: question(cell) }, part];

await run({
  plain: async () => ({ text: text(await ask(question("plain"))) }),
  stream: async () => {
    const pieces = [];
    for await (const chunk of await ask(question("stream"), "scripted", { stream: true }))
      if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
    return { text: pieces.join(""), pieces: pieces.length };
  },
  tools: async () => {
    const messages = [{ role: "user", content: question("tools") }];
    const given = { model: "fusion/tools", messages, tools: [tool] };
    const { message } = (await client.chat.completions.create(given)).choices[0];
    const call = message.tool_calls[0];
    messages.push(message, { role: "tool", tool_call_id: call.id, content: WEATHER });
    const end = await client.chat.completions.create(given);
    return { text: text(end), called: JSON.parse(call.function.arguments) };
  },
  structured: async () => {
    const schema = { name: "weather", schema: SCHEMA, strict: true };
    const response_format = { type: "json_schema", json_schema: schema };
    const reply = await ask(question("structured"), "structured", { response_format });
    return { object: JSON.parse(text(reply)) };
  },
  image: async () => {
    const image_url = { url: `data:image/png;base64,${IMAGE}` };
    return { text: text(await ask(parts("image", { type: "image_url", image_url }))) };
  },
  file: async () => {
    const file = { filename: "wet.pdf", file_data: `data:application/pdf;base64,${PDF}` };
    return { text: text(await ask(parts("file", { type: "file", file }))) };
  },
  usage: async () => {
    const { usage } = await ask(question("usage"));
    return { input: usage.prompt_tokens, output: usage.completion_tokens };
  },
  error: async () => ({ text: text(await ask(question("error"), "failing")) }),
  cancel: async () => {
    const chunks = await ask(question("cancel"), "slow", { stream: true });
    await waitCalled();
    chunks.controller.abort();
    return {};
  },
});
