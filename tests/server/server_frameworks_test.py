#!/usr/bin/env python3
"""ogas serve with frameworks that ask for typed answers: instructor, Pydantic AI, OpenAI's Agents SDK.

The model is small: what it says is nonsense, and has the type that was asked for.
"""

import json
import os
from typing import Literal

os.environ.update(OPENAI_AGENTS_DISABLE_TRACING="1")

import instructor  # noqa: E402
import openai  # noqa: E402
import pydantic  # noqa: E402
from agents import Agent as SdkAgent  # noqa: E402
from agents import ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner  # noqa: E402
from pydantic_ai import Agent, NativeOutput, PromptedOutput  # noqa: E402
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel as AiResponsesModel  # noqa: E402
from pydantic_ai.providers.openai import OpenAIProvider  # noqa: E402
from server_program import NAME, ServerTest, main  # noqa: E402


class Closed(pydantic.BaseModel):
    """With no other members, of which there could be any number."""

    model_config = pydantic.ConfigDict(extra="forbid")


class River(Closed):
    length_in_km: int = pydantic.Field(ge=1, le=9000)
    continent: Literal["Africa", "Asia", "Europe"]


class City(Closed):
    """A city of the world."""

    name: Literal["Rome", "Oslo", "Cairo"]
    capital: bool
    rivers: list[River] = pydantic.Field(max_length=2)


class FrameworkTest(ServerTest):
    OPTIONS = ("--ctx", 4096)
    MOST = 2000  # tokens; more than any City has, with all the white space that may be in it

    def setUp(self):
        super().setUp()
        self.base = f"{self.url}/v1"

    def forms(self):
        """The types of answers that were asked for in this test."""
        bodies = [json.loads(exchange.request) for exchange in self.exchanges()]
        return [(body.get("response_format") or body.get("text", {}).get("format") or {}).get("type") for body in bodies]

    def check(self, city):
        self.assertIsInstance(city, City)
        self.assertIn(city.name, ("Rome", "Oslo", "Cairo"))


class InstructorTest(FrameworkTest):
    def ask(self, mode, **fields):
        client = instructor.from_openai(openai.OpenAI(base_url=self.base, api_key="none", max_retries=0), mode=mode)
        return client.chat.completions, {"model": NAME, "messages": [{"role": "user", "content": "Name a city."}], "max_tokens": self.MOST,
                                         "temperature": 0.5, "max_retries": 0, **fields}

    def test_a_model(self):
        completions, fields = self.ask(instructor.Mode.JSON_SCHEMA)
        self.check(completions.create(response_model=City, **fields))
        self.assertEqual(self.forms(), ["json_schema"])

    def test_a_stream(self):
        completions, fields = self.ask(instructor.Mode.JSON_SCHEMA)
        pieces = list(completions.create_partial(response_model=City, **fields))
        self.assertGreater(len(pieces), 3)
        self.check(City.model_validate(pieces[-1].model_dump()))


class PydanticAiTest(FrameworkTest):
    def agent(self, output, kind=OpenAIChatModel):
        model = kind(NAME, provider=OpenAIProvider(base_url=self.base, api_key="none"))
        return Agent(model, output_type=output, model_settings={"max_tokens": self.MOST, "temperature": 0.5})

    def test_an_output_type(self):
        self.check(self.agent(NativeOutput(City)).run_sync("Name a city.").output)
        self.assertEqual(self.forms(), ["json_schema"])

    def test_responses(self):
        self.check(self.agent(NativeOutput(City), AiResponsesModel).run_sync("Name a city.").output)
        self.assertEqual(self.forms(), ["json_schema"])

    def test_one_of_several_types(self):
        output = self.agent(NativeOutput([City, River])).run_sync("Name a city or a river.").output
        self.assertIsInstance(output, (City, River))

    def test_text(self):
        self.assertIsInstance(self.agent(str).run_sync("Say hi").output, str)


class AgentsTest(FrameworkTest):
    def run_agent(self, kind):
        model = kind(model=NAME, openai_client=openai.AsyncOpenAI(base_url=self.base, api_key="none", max_retries=0))
        settings = ModelSettings(max_tokens=self.MOST, temperature=0.5)
        agent = SdkAgent(name="Namer", instructions="You name cities.", model=model, model_settings=settings, output_type=City)
        self.check(Runner.run_sync(agent, "Name a city.").final_output)
        self.assertEqual(self.forms(), ["json_schema"])

    def test_an_output_type(self):
        self.run_agent(OpenAIChatCompletionsModel)

    def test_responses(self):
        self.run_agent(OpenAIResponsesModel)


if __name__ == "__main__":
    main()
