"""Drives an MCP server with the official Python client and prints what came of it as one JSON object.

Usage: mcp_client.py MODE (http URL | stdio COMMAND ARGS...)
MODE is `legacy` (with initialize) or `auto` (the newer protocol where the server has it).
"""

import asyncio
import json
import sys

from mcp import Client, MCPError, StdioServerParameters
from mcp.types import ElicitResult


async def answer(_context, params):
    """Fills the form, and agrees to open any link."""
    if getattr(params, "mode", "form") == "url":
        return ElicitResult(action="accept")
    return ElicitResult(action="accept", content={"name": "Ann"})


def words(result):
    return result.content[0].text


async def drive(mode, server):
    steps = []

    async def note(progress, total, message):
        steps.append([progress, total, message])

    async with Client(server, mode=mode, elicitation_callback=answer) as client:
        tools, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            tools += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if not cursor:
                break
        failed = await client.call_tool("fail", {})
        try:
            await client.call_tool("refuse", {})
            refusal = None
        except MCPError as error:
            refusal = [error.code, error.message]
        return {
            "version": client.protocol_version,
            "server": [client.server_info.name, client.server_info.version],
            "tools": tools,
            "echo": words(await client.call_tool("echo", {"text": "hé"})),
            "failed": [failed.is_error, words(failed)],
            "refusal": refusal,
            "steps": words(await client.call_tool("steps", {"count": 3}, progress_callback=note)),
            "progress": sorted(steps),
            "form": json.loads(words(await client.call_tool("ask_form", {}))),
            "link": json.loads(words(await client.call_tool("ask_link", {}))),
        }


def main():
    mode, way, *rest = sys.argv[1:]
    server = rest[0] if way == "http" else StdioServerParameters(command=rest[0], args=rest[1:])
    print(json.dumps(asyncio.run(drive(mode, server))))


main()
