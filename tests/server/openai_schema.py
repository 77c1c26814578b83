"""Compares the server's answers with OpenAI's own description, ../shared/data/openai-openapi.yaml.

Closed: a field that is not described there is an error, too. What may differ is listed in DEVIATIONS, with the reason.
"""

import copy
import functools
import json
import os
import pathlib

FILE = pathlib.Path(os.environ.get("OGAS_OPENAPI") or
                    pathlib.Path(__file__).resolve().parent.parent.parent.parent / "shared/data/openai-openapi.yaml")
BASE = "urn:openai"

# (where in components/schemas, what else may be there, why)
CHOICE = "CreateCompletionResponse/properties/choices/items/properties/"
LOGPROBS = CHOICE + "logprobs/anyOf/0/properties/"
DEVIATIONS = [
    (LOGPROBS + "token_logprobs/items", {"type": "null"},
     "with echo, the first token of a prompt has no probability; OpenAI's API, and lm-eval, have null there"),
    (LOGPROBS + "top_logprobs/items", {"type": "null"},
     "the same, and with logprobs 0 everywhere"),
    (CHOICE + "finish_reason", {"type": "null"},
     "streams: the description has one schema for whole answers and for pieces, in which there is no reason yet"),
    ("CreateCompletionResponse/properties/usage", {"type": "null"},
     "streams with include_usage: null in all pieces but the last, as the description says of chats' pieces"),
    ("Embedding/properties/embedding", {"type": "string"},
     "encoding_format base64: the description shows the format float only"),
    *((f"{message}/properties/{name}", {"type": "string"},
       "reasoning separate from content, by the names that DeepSeek's API and vLLM have for it")
      for message in ("ChatCompletionResponseMessage", "ChatCompletionStreamResponseDelta")
      for name in ("reasoning", "reasoning_content")),
    ("Model/properties/max_model_len", {"type": "integer"},
     "the context's length, by the name that vLLM and its clients have for it"),
    ("Model/properties/meta", {"type": "object"},
     "facts of the file, by the name that llama.cpp has for them"),
]

# Not OpenAI's: as Anthropic, vLLM, Ollama, Kubernetes and Prometheus have them.
NOT_OPENAI = ("/v1/messages", "/tokenize", "/detokenize", "/tokenizer_info", "/health", "/ready", "/metrics", "/api/", "/v1/responses/")


def is_missing():
    return None if FILE.exists() else f"{FILE} is missing (OpenAI's API description; OGAS_OPENAPI names another)"


def pointed_at(schemas, where):
    for key in where.split("/"):
        schemas = schemas[int(key)] if isinstance(schemas, list) else schemas[key]
    return schemas


def deviate(schemas, where, other):
    parent, _, name = where.rpartition("/")
    parent = pointed_at(schemas, parent)
    parent[name] = {"anyOf": [parent[name], other]} if name in parent else other


def closed(schema, schemas, is_part=False):
    """As JSON Schema 2020-12 has it, and without other fields. is_part: of an allOf, which is closed as a whole."""
    if isinstance(schema, list):
        return [closed(one, schemas) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if is_part and schema.get("$ref", "").startswith("#/components/schemas/"):
        target = schemas[schema["$ref"].rpartition("/")[2]]
        return closed(target, schemas, is_part=True)
    schema = dict(schema)
    is_nullable = schema.pop("nullable", False)  # OpenAPI 3.0's, still in use there
    result = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties", "$defs"):
            result[key] = {name: closed(one, schemas) for name, one in value.items()}
        elif key == "allOf":
            result[key] = [closed(one, schemas, is_part=True) for one in value]
        elif key in ("enum", "const", "required"):
            result[key] = value
        elif key in ("default", "example", "examples", "discriminator") or key.startswith("x-"):
            continue
        else:
            result[key] = closed(value, schemas)
    if not is_part and ("properties" in result or "allOf" in result) and "additionalProperties" not in result:
        result["unevaluatedProperties"] = False
    if "$ref" in result:
        result["$ref"] = BASE + result["$ref"]
        if not is_nullable:
            return result
    return {"anyOf": [result, {"type": "null"}]} if is_nullable else result


@functools.cache
def description():
    import yaml
    document = yaml.load(FILE.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    schemas = copy.deepcopy(document["components"]["schemas"])
    for where, other, _ in DEVIATIONS:
        deviate(schemas, where, other)
    return document["paths"], {name: closed(schema, schemas) for name, schema in schemas.items()}


@functools.cache
def validator(name):
    import jsonschema
    import referencing
    from referencing.jsonschema import DRAFT202012
    contents = {"components": {"schemas": description()[1]}}
    registry = referencing.Registry().with_resource(BASE, referencing.Resource(contents, DRAFT202012))
    return jsonschema.Draft202012Validator({"$ref": f"{BASE}#/components/schemas/{name}"}, registry=registry)


def schema_of(method, path, content_type):
    """The name of the schema there, or None: not in the description."""
    if not path.startswith("/v1/"):
        return None
    path = "/models/{model}" if path.startswith("/v1/models/") else path.removeprefix("/v1")
    replies = description()[0].get(path, {}).get(method.lower(), {}).get("responses", {}).get("200", {}).get("content", {})
    reply = replies.get(content_type)
    if reply is None and path == "/completions":  # "both the streamed and non-streamed response objects share the same shape"
        reply = replies.get("application/json")
    return reply["schema"]["$ref"].rpartition("/")[2] if reply else None


def faults(value, name):
    """What is wrong with it, as text."""
    from jsonschema.exceptions import best_match
    errors = list(validator(name).iter_errors(value))
    if errors:
        error = best_match(errors)
        return [f"{name} at {error.json_path}: {error.message[:400]}"]
    return []


def check(exchange):
    """The faults of one exchange."""
    if exchange.method == "HEAD" or exchange.status == 204:
        return []
    if not exchange.is_whole and exchange.content_type != "text/event-stream":
        return []
    if exchange.status >= 400:
        if exchange.content_type != "application/json":
            return [f"an error of the type {exchange.headers.get('content-type')}"]
        return [] if exchange.path.startswith(("/api/", "/v1/messages")) else faults(exchange.json(), "ErrorResponse")
    if exchange.path.startswith(NOT_OPENAI):
        return []
    name = schema_of(exchange.method, exchange.path, exchange.content_type)
    if name is None:
        return [f"OpenAI's description has no {exchange.content_type} for {exchange.method} {exchange.path}"]
    if exchange.content_type == "application/json":
        return faults(exchange.json(), name)
    return check_stream(exchange, name)


def check_stream(exchange, name):
    found = []
    events = list(exchange.events())
    is_response = name == "ResponseStreamEvent"
    if exchange.is_whole and not is_response:
        if events[-1:] != ["[DONE]"]:
            found.append(f"the stream ends with {events[-1:]}, not with [DONE]")
    values = [json.loads(event) for event in events if event != "[DONE]"]
    for value in values:
        found += faults(value, "ErrorResponse" if "error" in value and "id" not in value and not is_response else name)
        if found:
            break
    if not is_response:
        for key in ("id", "object", "created", "model", "system_fingerprint"):
            if len({value.get(key) for value in values if "error" not in value}) > 1:
                found.append(f"{key} changes within a stream")
    return found
