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
from agents import ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled  # noqa: E402
from pydantic_ai import Agent, NativeOutput, PromptedOutput  # noqa: E402
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel as AiResponsesModel  # noqa: E402
from pydantic_ai.providers.openai import OpenAIProvider  # noqa: E402
from server_program import NAME, ServerTest, main  # noqa: E402


set_tracing_disabled(True)  # of OpenAI's SDK, which would send it to OpenAI


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

    def test_a_tool(self):
        for mode in (instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT):
            completions, fields = self.ask(mode)
            self.check(completions.create(response_model=City, **fields))
        self.assertEqual(self.forms(), [None, None])

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

    def test_an_output_tool(self):
        for kind in (OpenAIChatModel, AiResponsesModel):
            self.check(self.agent(City, kind).run_sync("Name a city.").output)
        self.assertEqual(self.forms(), [None, None])

    def test_one_of_several_types(self):
        output = self.agent(NativeOutput([City, River])).run_sync("Name a city or a river.").output
        self.assertIsInstance(output, (City, River))

    def test_text(self):
        self.assertIsInstance(self.agent(str).run_sync("Say hi").output, str)


def look_up_once():
    """A tool that is there until it was called, so that a small model does not call it for ever."""
    calls = []

    def look_up(city: Literal["Rome", "Oslo", "Cairo"], with_rivers: bool) -> str:
        """What is known of a city."""
        calls.append(city)
        return f"{city} is a city" + (" with rivers" if with_rivers else "")

    return function_tool(look_up, is_enabled=lambda *_: not calls)


class AgentsTest(FrameworkTest):
    def agent(self, kind, name="Namer", settings=None, **options):
        model = kind(model=NAME, openai_client=openai.AsyncOpenAI(base_url=self.base, api_key="none", max_retries=0))
        settings = ModelSettings(max_tokens=self.MOST, temperature=0.5, **settings or {})
        return SdkAgent(name=name, instructions="You name cities.", model=model, model_settings=settings, **options)

    def run_agent(self, agent):
        return Runner.run_sync(agent, "Name a city.", max_turns=4)

    def for_both(self, test):
        for kind in (OpenAIChatCompletionsModel, OpenAIResponsesModel):
            with self.subTest(kind.__name__):
                test(kind)

    def test_an_output_type(self):
        self.for_both(lambda kind: self.check(self.run_agent(self.agent(kind, output_type=City)).final_output))
        self.assertEqual(self.forms(), ["json_schema", "json_schema"])

    def test_a_tool(self):
        def call(kind):
            agent = self.agent(kind, settings={"tool_choice": "required", "parallel_tool_calls": False}, tools=[look_up_once()],
                               tool_use_behavior="stop_on_first_tool")
            self.assertRegex(self.run_agent(agent).final_output, r"\A(Rome|Oslo|Cairo) is a city( with rivers)?\Z")
        self.for_both(call)

    def test_the_result_of_a_tool_is_read(self):
        def call(kind):
            agent = self.agent(kind, settings={"tool_choice": "look_up", "parallel_tool_calls": False}, tools=[look_up_once()],
                               output_type=City)
            run = self.run_agent(agent)
            self.check(run.final_output)
            self.assertIn("tool_call_output_item", [item.type for item in run.new_items])
        self.for_both(call)

    def test_a_handoff(self):
        def hand_over(kind):
            expert = self.agent(kind, name="Expert", output_type=City)
            run = self.run_agent(self.agent(kind, settings={"tool_choice": "required", "parallel_tool_calls": False}, handoffs=[expert]))
            self.check(run.final_output)
            self.assertIs(run.last_agent, expert)
        self.for_both(hand_over)


if __name__ == "__main__":
    main()
