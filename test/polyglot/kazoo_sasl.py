"""Clients of kazoo that prove who they are by SASL: the cases of kazoo's own tests, and what follows."""
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import AuthFailedError, NoAuthError
from kazoo.security import make_acl

address, user, password = sys.argv[1:4]
acl = make_acl("sasl", credential=user, all=True)
nobody = KazooClient(hosts=address, timeout=10)
nobody.start(timeout=30)


def by_options(name, word):
    return {"sasl_options": {"mechanism": "DIGEST-MD5", "username": name, "password": word}}


def by_auth_data(name, word):
    return {"auth_data": [("sasl", name + ":" + word)]}


def connects(options, path):
    client = KazooClient(hosts=address, timeout=10, **options)
    client.start(timeout=30)
    client.create(path, acl=(acl,))
    try:
        nobody.get(path)
        raise AssertionError("anybody can read what is for one alone")
    except NoAuthError:
        pass
    client.delete(path)
    client.stop()
    client.close()


def is_refused(options):
    client = KazooClient(hosts=address, timeout=10, **options)
    started = time.monotonic()
    try:
        client.start(timeout=30)
        client.exists("/")
    except AuthFailedError:
        return
    except client.handler.timeout_exception:
        # It was connected for a moment, and is no longer: it says so at once.
        assert time.monotonic() - started < 10
        return
    finally:
        client.stop()
        client.close()
    raise AssertionError("a wrong password was taken")


connects(by_auth_data(user, password), "/by-auth-data")
print("ok connects by auth_data", flush=True)
is_refused(by_auth_data("baduser", "badpassword"))
print("ok is refused by auth_data", flush=True)
connects(by_options(user, password), "/by-options")
print("ok connects by sasl_options", flush=True)
is_refused(by_options("baduser", "badpassword"))
print("ok is refused by sasl_options", flush=True)
is_refused(by_options(user, "badpassword"))
print("ok is refused with a wrong password", flush=True)
nobody.stop()
