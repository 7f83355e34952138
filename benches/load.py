"""Load on the pages: an open loop, so that a slow answer does not slow the questions down.

    python3 benches/load.py http://127.0.0.1:8080 [SECONDS] [REQUESTS A SECOND] [CONNECTIONS]

Asks for pages of every sort, those of things by turns. A request's time is from when it was due until its last byte. Prints, by sort of
page, how many there were, and the times in milliseconds that half, 99 of 100 and all of them took.
"""

import asyncio
import json
import os
import sys
import time
import urllib.parse
import urllib.request

base = sys.argv[1]
seconds, rate, connections = (int(sys.argv[i]) if len(sys.argv) > i else d for i, d in ((2, 60), (3, 100), (4, 50)))
host = urllib.parse.urlsplit(base).netloc
os.nice(5)


def told(path):
    with urllib.request.urlopen(base + path, timeout=120) as reply:
        return json.load(reply)


systems = [s["anchor"] for s in told("/systems.json")["systems"]]
controls = [c["id"] for c in told("/controls.json")["controls"]]
size = told("/first.json")["as_of"]["size"]


def pages():
    n = 0
    while True:
        n += 1
        system, control = systems[n * 37 % len(systems)], controls[n * 7 % len(controls)]
        yield "first", "/"
        yield "system", f"/systems/{system}"
        yield "entry", f"/entries/{n * 7919 % size}"
        yield "findings", "/findings?status=open"
        yield "system", f"/systems/{systems[n * 101 % len(systems)]}"
        yield "control", f"/controls/{control}"
        yield "findings", f"/findings?text=entry&sort=-level"
        yield "entry", f"/entries/{n * 104729 % size}"
        yield "systems", "/systems"
        yield "source", "/sources"


times, bad = {}, []


async def worker(queue):
    address, port = host.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(address, int(port))
    while True:
        due, sort, path = await queue.get()
        if due is None:
            writer.close()
            return
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)}
        await reader.readexactly(int(fields["content-length"]))
        times.setdefault(sort, []).append((time.monotonic() - due) * 1000)
        if " 200 " not in head.split("\r\n")[0] + " ":
            bad.append((path, head.split("\r\n")[0]))


async def run():
    queue = asyncio.Queue()
    workers = [asyncio.create_task(worker(queue)) for _ in range(connections)]
    begin, all_pages = time.monotonic(), pages()
    for i in range(seconds * rate):
        due = begin + i / rate
        await asyncio.sleep(max(0, due - time.monotonic()))
        queue.put_nowait((due, *next(all_pages)))
    for _ in workers:
        queue.put_nowait((None, None, None))
    await asyncio.gather(*workers)


asyncio.run(run())
print(f"{rate} requests a second, {connections} connections, {seconds} s, {len(bad)} not answered with 200 {bad[:3]}")
print("| page | requests | half | 99 % | all |\n| --- | --- | --- | --- | --- |")
for sort, all_times in sorted(times.items()) + [("all", [t for ts in times.values() for t in ts])]:
    ordered = sorted(all_times)
    at = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))]
    print(f"| {sort} | {len(ordered)} | {at(0.5):.0f} | {at(0.99):.0f} | {ordered[-1]:.0f} |")
