"""Talks to an endpoint through OpenAI's own client and prints what it understood, as one line of JSON.

Usage: python openai_client.py BASE_URL MODEL

It lists the models, then asks for a tool call twice: streamed, put together from its deltas, and in one piece. Any
chunk or document that the client does not accept ends it with a traceback and a status other than 0.
"""

import json
import sys

from openai import OpenAI

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]
MESSAGES = [{"role": "user", "content": "How is the weather?"}]


def streamed(client: OpenAI, model: str) -> dict:
    """One streamed answer, assembled as an agent would."""
    seen = {"reasoning": "", "content": "", "calls": [], "finish": None, "usage": None, "chunks": 0}
    stream = client.chat.completions.create(
        model=model,
        messages=MESSAGES,
        tools=TOOLS,
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        seen["chunks"] += 1
        if chunk.usage is not None:
            seen["usage"] = [chunk.usage.prompt_tokens, chunk.usage.completion_tokens]
        if not chunk.choices:
            continue
        choice = chunk.choices[0]
        seen["content"] += choice.delta.content or ""
        seen["reasoning"] += getattr(choice.delta, "reasoning", None) or ""
        for call in choice.delta.tool_calls or []:
            if call.index == len(seen["calls"]):
                seen["calls"].append([call.id, call.function.name, ""])
            seen["calls"][call.index][2] += call.function.arguments or ""
        seen["finish"] = choice.finish_reason or seen["finish"]
    return seen


def whole(client: OpenAI, model: str) -> dict:
    """One answer in one piece."""
    completion = client.chat.completions.create(model=model, messages=MESSAGES, tools=TOOLS)
    choice = completion.choices[0]
    calls = choice.message.tool_calls or []
    return {
        "reasoning": getattr(choice.message, "reasoning", None) or "",
        "content": choice.message.content or "",
        "calls": [[call.id, call.function.name, call.function.arguments] for call in calls],
        "finish": choice.finish_reason,
        "usage": [completion.usage.prompt_tokens, completion.usage.completion_tokens],
    }


def main() -> None:
    base_url, model = sys.argv[1:]
    # The key is one that no server asked for; retries would hide a first answer that was not accepted.
    client = OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=30)
    report = {
        "models": [entry.id for entry in client.models.list()],
        "streamed": streamed(client, model),
        "whole": whole(client, model),
    }
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
