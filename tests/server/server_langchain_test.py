#!/usr/bin/env python3
"""ogas serve with LangChain: chats, streams, and embeddings."""

import asyncio
from typing import Literal

import openai
import pydantic
from langchain_core.exceptions import OutputParserException
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings

from server_program import ENDLESS, NAME, RUN_ENDLESS, SERVES_RESPONSES, ServerTest, main


class City(pydantic.BaseModel):
    name: Literal["Rome", "Oslo"]


class LangChainTest(ServerTest):
    OPTIONS = ("--ctx", 1024)

    def model(self, kind=ChatOpenAI, **options):
        return kind(base_url=f"{self.url}/v1", api_key="none", model=NAME, max_retries=0, **options)

    def chat(self, **options):
        return self.model(temperature=0, max_tokens=12, extra_body=ENDLESS, **options)

    def test_invoke(self):
        expected = self.greedy("Say hi", 12, "--system", "Be brief.", *RUN_ENDLESS)
        reply = self.chat().invoke([("system", "Be brief."), ("human", "Say hi")])
        self.assertEqual(reply.content, expected["text"])
        self.assertEqual(reply.usage_metadata["input_tokens"], expected["prompt_tokens"])
        self.assertEqual(reply.usage_metadata["output_tokens"], 12)
        self.assertEqual(reply.response_metadata["finish_reason"], "length")
        self.assertEqual(reply.response_metadata["model_name"], NAME)

    def test_stream(self):
        expected = self.greedy("Say hi", 12, *RUN_ENDLESS)["text"]
        pieces = list(self.chat(stream_usage=True).stream("Say hi"))
        self.assertGreater(len([piece for piece in pieces if piece.content]), 3)
        self.assertEqual("".join(piece.content for piece in pieces), expected)
        whole = pieces[0]
        for piece in pieces[1:]:
            whole += piece
        self.assertEqual(whole.usage_metadata["output_tokens"], 12)

    def test_many_at_once(self):
        prompts = ["Say hi", "Name a colour.", "What is rain?"]
        expected = [self.greedy(prompt, 12, *RUN_ENDLESS)["text"] for prompt in prompts]
        self.assertEqual([reply.content for reply in self.chat().batch(prompts)], expected)

        async def ask_all():
            return await self.chat().abatch(prompts)
        self.assertEqual([reply.content for reply in asyncio.run(ask_all())], expected)

    def test_options(self):
        reply = self.chat(stop=["I"], logprobs=True, top_logprobs=2, seed=3, n=1, frequency_penalty=0.5).invoke("Say hi")
        self.assertNotIn("I", reply.content)
        self.assertTrue(all(len(one["top_logprobs"]) == 2 for one in reply.response_metadata["logprobs"]["content"]))

    def test_tools(self):
        def add(a: int, b: int) -> int:
            """Adds two numbers."""
            return a + b
        for choice in ("required", "any", "add"):
            model = self.model(temperature=0, max_tokens=100).bind_tools([add], tool_choice=choice, parallel_tool_calls=False)
            call, = model.invoke("Add 2 and 3").tool_calls
            self.assertEqual((call["name"], {type(value) for value in call["args"].values()}), ("add", {int}))
        reply = self.chat().bind_tools([add], tool_choice="none").invoke("Say hi")
        self.assertEqual(reply.tool_calls, [])
        self.assertTrue(reply.content)

    def test_structured_output(self):
        for method in ("json_schema", "function_calling", "json_mode"):
            with self.subTest(method):
                city = self.model(temperature=1, seed=3, max_tokens=200).with_structured_output(City, method=method)
                if method != "json_mode":
                    self.assertIn(city.invoke("Name a city.").name, ("Rome", "Oslo"))
                else:
                    try:
                        city.invoke("Name a city, as a JSON object.")
                    except OutputParserException as error:  # JSON, and not a City
                        self.assertIn("City", str(error))

    def test_completions(self):
        reply = self.model(OpenAI, temperature=0, max_tokens=8).invoke("The capital of France is")
        self.assertEqual(reply, self.greedy("The capital of France is", 8, "--raw")["text"])

    def test_embeddings(self):
        # Texts as they are: LangChain's own tokens are those of OpenAI's models.
        vectors = self.model(OpenAIEmbeddings, check_embedding_ctx_length=False).embed_documents(["One two", "Three"])
        self.assertEqual([len(vector) for vector in vectors], [len(vectors[0])] * 2)
        self.assertNotEqual(vectors[0], vectors[1])

    def test_responses(self):
        if not SERVES_RESPONSES:
            self.skipTest("/v1/responses is not served yet")
        expected = self.greedy("Say hi", 16)["text"]
        model = self.model(temperature=0, max_tokens=16, use_responses_api=True, output_version="v0")
        self.assertEqual(model.invoke("Say hi").text, expected)
        self.assertEqual("".join(piece.text for piece in model.stream("Say hi")), expected)


if __name__ == "__main__":
    main()
