"""Leads in kazoo's Election some times over: arguments are servers, path, how often, and its identifier."""

import sys

from kazoo.client import KazooClient

HOSTS, PATH, ROUNDS, NAME = sys.argv[1:]


def ask(what):
    """The test does it, and answers with a line."""
    print("ask", what, NAME, flush=True)
    sys.stdin.readline()


def lead(election):
    """One leadership; all candidates are listed by kazoo, too."""
    ask("enter")
    print("ok", ",".join(election.contenders()), flush=True)
    ask("leave")


client = KazooClient(hosts=HOSTS, timeout=20)
client.start(timeout=60)
ask("ready")
election = client.Election(PATH, NAME)
for _ in range(int(ROUNDS)):
    election.run(lead, election)
client.stop()
print("ok", ROUNDS, "rounds")
