"""A client of kazoo that comes by TLS, and is known by its certificate."""
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import ACL, Id, Permissions

address, folder, subject = sys.argv[1:4]


def client(name):
    one = KazooClient(
        hosts=address, use_ssl=True, ca=folder + "/ca.pem", certfile=folder + "/" + name + ".crt",
        keyfile=folder + "/" + name + ".key", timeout=10)
    one.start(timeout=30)
    return one


alice, bob = client("alice"), client("bob")
print("ok connects", flush=True)
alice.create("/hers", b"data", acl=[ACL(Permissions.ALL, Id("x509", subject))])
assert alice.get("/hers")[0] == b"data"
try:
    bob.get("/hers")
except NoAuthError:
    print("ok is known by its certificate", flush=True)
alice.stop()
bob.stop()
