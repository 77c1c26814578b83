// The @anthropic-ai/sdk package of npm against a server: node server_anthropic.mjs URL MODEL JSON, of fields that let
// answers end by their length. Prints one JSON object; the test judges it.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [url, model, endless] = process.argv.slice(2);
const require = createRequire(`${process.env.OGAS_TEST_CLIENTS}/package.json`);
const { default: Anthropic } = await import(pathToFileURL(require.resolve("@anthropic-ai/sdk")));
const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const user = (content) => [{ role: "user", content }];
const asked = { model, messages: user("Say hi"), max_tokens: 12, temperature: 0, ...JSON.parse(endless) };
const found = {};

found.message = await client.messages.create(asked);
found.beta = await client.beta.messages.create({ ...asked, betas: ["interleaved-thinking-2025-05-14"] });

found.raw = [];
for await (const event of await client.messages.create({ ...asked, stream: true })) found.raw.push(event.type);

const stream = client.messages.stream(asked);
const texts = [];
stream.on("text", (text) => texts.push(text));
found.final = await stream.finalMessage();
found.texts = texts;

const leaving = client.messages.stream({ ...asked, max_tokens: 4000, ignore_eos: true });
for await (const _ of leaving) break;
leaving.abort();

found.count = await client.messages.countTokens({ model, messages: asked.messages, system: "Be brief." });

async function refused(call) {
  try {
    await call();
    return "nothing was refused";
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, type: error.error.error.type, id: error.requestID };
  }
}
found.errors = {
  model: await refused(() => client.messages.create({ ...asked, model: "claude-9" })),
  field: await refused(() => client.messages.create({ ...asked, frobnicate: 1 })),
  streamed: await refused(() => client.messages.stream({ ...asked, frobnicate: 1 }).finalMessage()),
  length: await refused(() => client.messages.create({ ...asked, messages: user("word ".repeat(2000)) })),
};

console.log(JSON.stringify(found));
