"""Adds one to kazoo's Counter some times over, in Curator's bytes: arguments are servers, path, and how often."""

import sys

from kazoo.client import KazooClient

HOSTS, PATH, TIMES = sys.argv[1:]

client = KazooClient(hosts=HOSTS, timeout=20)
client.start(timeout=60)
counter = client.Counter(PATH, support_curator=True)
for _ in range(int(TIMES)):
    counter += 1
client.stop()
print("ok", TIMES, "times")
