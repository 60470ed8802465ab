"""LangChain's adapters as docs/mcp.md sets them up: the tools they make, called without a model."""

import asyncio

from langchain_mcp_adapters.client import MultiServerMCPClient

from story import AMOUNTS, ENVIRONMENT, KEY, NAMES, PROGRAM, URL, story


async def main():
    client = MultiServerMCPClient(
        {
            "remote": {"transport": "http", "url": f"{URL}/mcp", "headers": {"Authorization": f"Bearer {KEY}"}},
            "local": {"transport": "stdio", "command": PROGRAM, "args": ["mcp"], "env": ENVIRONMENT},
        }
    )
    for amount, server in zip(AMOUNTS, ["remote", "local"]):
        tools = {tool.name: tool for tool in await client.get_tools(server_name=server)}
        assert list(tools) == NAMES, tools

        async def call(name, arguments):
            message = await tools[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
            text = message.content if isinstance(message.content, str) else message.content[0]["text"]
            artifact = message.artifact or {}
            return message.status == "error", text, artifact.get("structured_content")

        await story(call, amount)


asyncio.run(main())
