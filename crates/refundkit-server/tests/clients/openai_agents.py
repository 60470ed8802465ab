"""The OpenAI Agents SDK as docs/mcp.md sets it up: what it lists and calls, without a model."""

import asyncio

from agents.mcp import MCPServerStdio, MCPServerStreamableHttp

from story import AMOUNTS, ENVIRONMENT, KEY, NAMES, PROGRAM, URL, story


async def run(server, amount):
    async with server:
        assert [tool.name for tool in await server.list_tools()] == NAMES

        async def call(name, arguments):
            result = await server.call_tool(name, arguments)
            return result.is_error, result.content[0].text, result.structured_content

        await story(call, amount)


async def main():
    await run(MCPServerStdio(name="refundkit", params={"command": PROGRAM, "args": ["mcp"], "env": ENVIRONMENT}), AMOUNTS[0])
    headers = {"Authorization": f"Bearer {KEY}"}
    await run(MCPServerStreamableHttp(name="refundkit", params={"url": f"{URL}/mcp", "headers": headers}), AMOUNTS[1])


asyncio.run(main())
