"""The official Python client, on both doors and in both generations."""

import asyncio

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from story import AMOUNTS, ENVIRONMENT, KEY, NAMES, PROGRAM, URL, story


async def run(transport, mode, revision, amount):
    async with Client(transport, mode=mode) as client:
        assert client.protocol_version == revision, client.protocol_version
        assert [tool.name for tool in (await client.list_tools()).tools] == NAMES

        async def call(name, arguments):
            result = await client.call_tool(name, arguments)
            return result.is_error, result.content[0].text, result.structured_content

        await story(call, amount)


async def main():
    amounts = iter(AMOUNTS)
    for mode, revision in [("auto", "2026-07-28"), ("legacy", "2025-11-25")]:
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as http:
            await run(streamable_http_client(f"{URL}/mcp", http_client=http), mode, revision, next(amounts))
        parameters = StdioServerParameters(command=PROGRAM, args=["mcp"], env=ENVIRONMENT)
        await run(stdio_client(parameters), mode, revision, next(amounts))


asyncio.run(main())
