"""What agents wait for and pay: see bench/mcp. Standard library only."""

import argparse
import http.client
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

REVISION = "2025-11-25"
HELLO = {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mib(pid, which):
    found = re.search(rf"{which}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) / 1024


def message(number, method, params):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


class Stdio:
    """`refundkit mcp`, spoken to as its client does."""

    def __init__(self, refundkit, url, key):
        environment = {"REFUNDKIT_BASE_URL": url, "REFUNDKIT_API_KEY": key}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([refundkit, "mcp"], stdin=pipe, stdout=pipe, env=environment)
        self.pid, self.number = self.process.pid, 0

    def tell(self, said):
        self.process.stdin.write(json.dumps(said).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.number += 1
        self.tell(message(self.number, method, params))
        return json.loads(self.process.stdout.readline())

    def greet(self):
        self.ask("initialize", HELLO)
        self.tell({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Http:
    """A client of /mcp."""

    def __init__(self, url, key):
        self.connection, self.number = http.client.HTTPConnection(url.removeprefix("http://")), 0
        accept = "application/json, text/event-stream"
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Accept": accept}

    def ask(self, method, params):
        self.number += 1
        self.connection.request("POST", "/mcp", json.dumps(message(self.number, method, params)), self.headers)
        return json.loads(self.connection.getresponse().read())


def calls(client, count, name, arguments):
    began = time.perf_counter()
    for _ in range(count):
        answer = client.ask("tools/call", {"name": name, "arguments": arguments})
        assert not answer["result"].get("isError"), answer
    return (time.perf_counter() - began) / count * 1000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--refundkit", required=True)
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    refundkit = str(pathlib.Path(options.refundkit).resolve())
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["dev", "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0", "--data-dir", folder + "/data"]
        server = subprocess.Popen([refundkit, *arguments], stdout=subprocess.PIPE, cwd=folder, env={}, text=True)
        try:
            measure(refundkit, server, options)
        finally:
            server.terminate()
            server.wait()


def measure(refundkit, server, options):
    welcome = ""
    while "Serving until" not in welcome:
        line = server.stdout.readline()
        assert line, welcome
        welcome += line
    url, key = re.search(r"REFUNDKIT_BASE_URL=(\S+) REFUNDKIT_API_KEY=(\S+)", welcome).groups()
    refund = re.search(r"ref_[0-9a-z]{26}", welcome).group(0)

    starts, memory = [], []
    for _ in range(options.starts):
        began = time.perf_counter()
        client = Stdio(refundkit, url, key)
        client.greet()
        tools = client.ask("tools/list", {})["result"]["tools"]
        starts.append((time.perf_counter() - began) * 1000)
        memory.append(memory_mib(client.pid, "VmRSS"))
        client.close()
    size = len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode())

    check = ("refundkit_check_refund_status", {"refundId": refund})
    client = Stdio(refundkit, url, key)
    client.greet()
    calls(client, options.calls // 10, *check)
    before = cpu_seconds(client.pid), cpu_seconds(server.pid)
    stdio_ms = calls(client, options.calls, *check)
    stdio_cpu = (cpu_seconds(client.pid) - before[0]) / options.calls * 1e6
    stdio_server_cpu = (cpu_seconds(server.pid) - before[1]) / options.calls * 1e6
    peak = memory_mib(client.pid, "VmHWM")
    client.close()

    door = Http(url, key)
    calls(door, options.calls // 10, *check)
    before = cpu_seconds(server.pid)
    http_ms = calls(door, options.calls, *check)
    http_cpu = (cpu_seconds(server.pid) - before) / options.calls * 1e6

    median, worst = statistics.median(starts), max(starts)
    print("| agents | |\n| --- | ---: |")
    print(f"| `refundkit mcp`, from its start to its first list of tools, median of {len(starts)} | {median:.1f} ms |")
    print(f"| the slowest of them | {worst:.1f} ms |")
    print(f"| resident then | {statistics.median(memory):.1f} MiB |")
    print(f"| resident at most, over {options.calls} calls | {peak:.1f} MiB |")
    print(f"| a status check over stdio | {stdio_ms:.2f} ms |")
    print(f"| its CPU, in `refundkit mcp` and in the server | {stdio_cpu:.0f} µs + {stdio_server_cpu:.0f} µs |")
    print(f"| a status check over HTTP | {http_ms:.2f} ms |")
    print(f"| its CPU, in the server | {http_cpu:.0f} µs |")
    print(f"| all tools, as a model reads them | {size} bytes, about {size // 4} tokens |")


main()
