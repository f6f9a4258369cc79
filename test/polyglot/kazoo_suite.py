"""kazoo's own test suite, as Debian ships it, against the servers whose addresses are the first argument.

The other arguments are what to run: `client` is a module, `client.TestClient` a class of it; what begins with a minus
is left out. It needs no packages but kazoo: the few things that its tests take from others are put in their place.
"""

import contextlib
import sys
import time
import types
import unittest
import unittest.mock

ADDRESSES = sys.argv[1].split(",")


def stub_packages():
    """mock is part of Python by now, and of pytest the tests use three functions."""
    sys.modules["mock"] = unittest.mock
    pytest = types.ModuleType("pytest")

    @contextlib.contextmanager
    def raises(expected):
        caught = types.SimpleNamespace(value=None)
        try:
            yield caught
        except expected as error:
            caught.value = error
            return
        raise AssertionError(f"{expected} was not raised")

    def fail(reason):
        raise AssertionError(reason)

    def skip(reason):
        raise unittest.SkipTest(reason)

    pytest.raises, pytest.fail, pytest.skip = raises, fail, skip
    sys.modules["pytest"] = pytest
    # It counts objects in memory, which only one test of the cache does.
    objgraph = types.ModuleType("objgraph")
    objgraph.by_type = objgraph.count = lambda *_: skip("objgraph is not there")
    sys.modules["objgraph"] = objgraph


def ask(request, argument):
    print(f"ask {request} {argument}", flush=True)
    assert sys.stdin.readline().strip() == "done"


class Server:
    def __init__(self, number, address):
        self.number, self.address, self.running = number, address, True

    def stop(self):
        ask("crash", self.number)
        self.running = False

    def run(self):
        if not self.running:
            ask("restart", "")
        self.running = True


class Cluster(list):
    def start(self):
        for server in self:
            server.run()


def use_our_cluster():
    import kazoo.testing.harness

    cluster = Cluster(Server(number + 1, address) for number, address in enumerate(ADDRESSES))
    kazoo.testing.harness.get_global_cluster = lambda: cluster


class Result(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.started_at = time.monotonic()
        self.stream.write(f"{test.id()}\n")

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.write(f"took {time.monotonic() - self.started_at:.1f} s\n")

    def addSuccess(self, test):
        super().addSuccess(test)
        print("ok passed", flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"ok skipped {test.id()}: {reason}", flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(f"ok failed {test.id()}", flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        print(f"ok failed {test.id()}", flush=True)


def main():
    stub_packages()
    use_our_cluster()
    names = [f"kazoo.tests.test_{name}" for name in sys.argv[2:] if not name.startswith("-")]
    left_out = tuple(f"kazoo.tests.test_{name[1:]}" for name in sys.argv[2:] if name.startswith("-"))
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    chosen = unittest.TestSuite(test for test in tests_in(suite) if not test.id().startswith(left_out))
    unittest.TextTestRunner(resultclass=Result, verbosity=0).run(chosen)


def tests_in(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from tests_in(part)
        else:
            yield part


main()
