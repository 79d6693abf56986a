"""Waking a worker: a favour that costs the page nothing."""

import time

import pytest
from kombu.exceptions import OperationalError

from notifications import wake as module
from notifications.wake import Breaker, wake


@pytest.fixture
def broker(monkeypatch):
    """The calls that reached the broker; put an exception into ``fails`` to break it."""

    class Broker:
        fails: Exception | None = None
        calls: list = []

        def apply_async(self, **options):
            self.calls.append(options)
            if self.fails:
                raise self.fails

    broker = Broker()
    broker.calls = []
    monkeypatch.setattr("notifications.tasks.deliver", broker)
    monkeypatch.setattr(module, "breaker", Breaker())
    return broker


def test_only_ids_leave_and_a_stale_call_is_dropped(broker):
    wake([3, 4])
    assert broker.calls == [{"args": [[3, 4]], "retry": False, "expires": 60}]


def test_nothing_to_do_wakes_nobody(broker):
    wake([])
    assert broker.calls == []


@pytest.mark.parametrize("error", [OperationalError("down"), TimeoutError(), ValueError("full")])
def test_no_failure_comes_out_and_one_line_is_logged(broker, caplog, error):
    broker.fails = error
    for _n in range(5):
        wake([1])
    assert len(broker.calls) == 1, "the others did not even try"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert type(error).__name__ in caplog.text


def test_one_tries_again_after_the_pause_and_is_heard(broker, caplog, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("notifications.wake.time.monotonic", lambda: clock[0])
    broker.fails = OperationalError("down")
    wake([1])
    clock[0] += module.PAUSE - 0.1
    wake([2])
    clock[0] += 0.2
    wake([3])
    wake([4])
    assert [call["args"] for call in broker.calls] == [[[1]], [[3]]]
    broker.fails = None
    clock[0] += module.PAUSE
    wake([5])
    wake([6])
    assert [call["args"] for call in broker.calls] == [[[1]], [[3]], [[5]], [[6]]]
    assert [record.getMessage() for record in caplog.records][1:] == ["Workers can be woken again."]


def test_who_comes_while_another_tries_does_not_wait_beside_it():
    breaker = Breaker(pause=0.05)
    assert breaker.failed()
    assert not breaker.allows()
    time.sleep(0.06)
    assert [breaker.allows() for _n in range(3)] == [True, False, False]
    assert breaker.succeeded()
    assert [breaker.allows() for _n in range(3)] == [True, True, True]
