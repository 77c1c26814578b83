// The openai package of npm against a server: node server_node.mjs URL MODEL JSON, of fields that let
// answers end by their length. Prints one JSON object; the test judges it.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [url, model, endless] = process.argv.slice(2);
const require = createRequire(`${process.env.OGAS_TEST_CLIENTS}/package.json`);
const { default: OpenAI } = await import(pathToFileURL(require.resolve("openai")));
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const chat = { model, messages: [{ role: "user", content: "Say hi" }], temperature: 0, max_tokens: 12, ...JSON.parse(endless) };
const found = {};

found.chat = await client.chat.completions.create(chat);

found.stream = { text: "", roles: [], reasons: [], pieces: 0 };
const streamed = { ...chat, stream: true, stream_options: { include_usage: true } };
for await (const chunk of await client.chat.completions.create(streamed)) {
  for (const choice of chunk.choices) {
    if (choice.delta.role) found.stream.roles.push(choice.delta.role);
    if (choice.delta.content) found.stream.pieces += 1;
    found.stream.text += choice.delta.content ?? "";
    if (choice.finish_reason) found.stream.reasons.push(choice.finish_reason);
  }
  if (chunk.usage) found.stream.usage = chunk.usage;
}

const runner = client.chat.completions.stream(chat);
const deltas = [];
runner.on("content", (delta) => deltas.push(delta));
const final = await runner.finalChatCompletion();
found.helper = { deltas: deltas.join(""), text: final.choices[0].message.content };

const leaving = await client.chat.completions.create({ ...chat, stream: true, max_tokens: 4000, ignore_eos: true });
for await (const _ of leaving) break;  // aborts the request

const prompts = ["One two", "Three"];
found.completion = await client.completions.create({ model, prompt: prompts, max_tokens: 4, temperature: 0, logprobs: 1 });

// Without encoding_format the client asks for base64 and decodes it.
found.embeddings = {};
for (const encoding_format of [undefined, "float"]) {
  const reply = await client.embeddings.create({ model, input: prompts, encoding_format });
  found.embeddings[encoding_format ?? "default"] = reply.data.map((one) => Array.from(one.embedding));
}

found.models = [];
for await (const one of client.models.list()) found.models.push(one.id);
found.model = await client.models.retrieve(model);

async function refused(call) {
  try {
    await call();
    return "nothing was refused";
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param, type: error.type };
  }
}
const user = (content, more) => [{ role: "user", content, ...more }];
found.errors = {
  model: await refused(() => client.chat.completions.create({ ...chat, model: "gpt-9" })),
  field: await refused(() => client.chat.completions.create({ ...chat, messages: user("x", { frob: 1 }) })),
  length: await refused(() => client.chat.completions.create({ ...chat, messages: user("word ".repeat(2000)) })),
  streamed: await refused(() => client.chat.completions.create({ ...chat, stream: true, frobnicate: 1 })),
};

if (process.env.SERVES_RESPONSES) {
  const asked = { model, input: "Say hi", temperature: 0, max_output_tokens: 12, ...JSON.parse(endless) };
  found.response = await client.responses.create(asked);
  found.response_text = found.response.output_text;
  found.response_stream = "";
  for await (const event of await client.responses.create({ ...asked, stream: true }))
    if (event.type === "response.output_text.delta") found.response_stream += event.delta;
}

const { z } = await import(pathToFileURL(require.resolve("zod")));
const { zodResponseFormat, zodTextFormat } = await import(pathToFileURL(require.resolve("openai/helpers/zod")));
const City = z.object({
  name: z.enum(["Rome", "Oslo"]),
  rivers: z.array(z.object({ length: z.number().int().min(1).max(9000), is_long: z.boolean() })).max(2),
});
const typed = { ...chat, max_tokens: 300, temperature: 0.5, seed: 3, logit_bias: {}, response_format: zodResponseFormat(City, "city") };
found.typed = {};
found.typed.parsed = (await client.chat.completions.parse(typed)).choices[0].message.parsed;
found.typed.streamed = (await client.chat.completions.stream(typed).finalChatCompletion()).choices[0].message.parsed;
if (process.env.SERVES_RESPONSES) {
  const text = { format: zodTextFormat(City, "city") };
  const asked = { model, input: "Name a city.", max_output_tokens: 300, text };
  found.typed.response = (await client.responses.parse(asked)).output_parsed;
}

console.log(JSON.stringify(found));
