"""An agent loop with the official `openai` and `mcp` clients: the peer of `cargo xtask bench collect`.

It asks the model, runs the calls of the answer on an MCP server over stdio and sends the results back, until an answer
has no calls. The conversation is in memory alone. The last line of stdout is JSON: the steps and the clients' versions.
"""

import argparse
import asyncio
import json
import sys
from importlib.metadata import version

import openai
from mcp import ClientSession, StdioServerParameters, stdio_client, types


async def list_tools(session: ClientSession) -> list[dict]:
    tools, params = [], None
    while True:
        page = await session.list_tools(params=params)
        tools.extend(page.tools)
        if not page.next_cursor:
            break
        params = types.PaginatedRequestParams(cursor=page.next_cursor)
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description or "", "parameters": tool.input_schema},
        }
        for tool in tools
    ]


async def ask(client: openai.AsyncOpenAI, model: str, messages: list[dict], tools: list[dict]) -> dict:
    stream = await client.chat.completions.create(
        model=model,
        messages=messages,
        tools=tools,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"return_token_ids": True},
    )
    content, reasoning, calls = [], [], {}
    async for chunk in stream:
        for choice in chunk.choices:
            delta = choice.delta
            if delta.content:
                content.append(delta.content)
            # vLLM's own field, which the client hands on as it is.
            if thought := getattr(delta, "reasoning", None):
                reasoning.append(thought)
            for piece in delta.tool_calls or []:
                call = calls.setdefault(piece.index, {"id": "", "name": "", "arguments": []})
                call["id"] = piece.id or call["id"]
                if piece.function:
                    call["name"] += piece.function.name or ""
                    call["arguments"].append(piece.function.arguments or "")
    message = {"role": "assistant", "content": "".join(content)}
    if reasoning:
        message["reasoning"] = "".join(reasoning)
    if calls:
        message["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": "".join(call["arguments"])},
            }
            for call in calls.values()
        ]
    return message


async def work(args: argparse.Namespace) -> int:
    client = openai.AsyncOpenAI(base_url=args.base_url, api_key="none", max_retries=0)
    server = StdioServerParameters(command=args.server)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = await list_tools(session)
        messages = [{"role": "user", "content": args.task}]
        steps = 0
        while True:
            answer = await ask(client, args.model, messages, tools)
            messages.append(answer)
            if "tool_calls" not in answer:
                return steps
            for call in answer["tool_calls"]:
                function = call["function"]
                result = await session.call_tool(function["name"], json.loads(function["arguments"]))
                text = "\n".join(part.text for part in result.content if part.type == "text")
                messages.append(
                    {"role": "tool", "tool_call_id": call["id"], "name": function["name"], "content": text}
                )
            steps += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--server", required=True, help="program of the MCP server")
    parser.add_argument("--task", required=True)
    steps = asyncio.run(work(parser.parse_args()))
    versions = {name: version(name) for name in ("openai", "mcp")}
    json.dump({"steps": steps, "python": sys.version.split()[0]} | versions, sys.stdout)
    print()


if __name__ == "__main__":
    main()
