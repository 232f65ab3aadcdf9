"""State that a module keeps outside its ``state_dict``: no trace of rivals in it, exact replay."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import random
import socket
import threading
import time

import pytest
import torch

from autolr.callbacks import AutoLR, FollowCandidate
from tests.callbacks.hidden import (
    LR,
    MODULES,
    RACE,
    Bank,
    Environment,
    Momentum,
    Net,
    Stepping,
    Teacher,
    Wrapped,
    same,
    trained,
)
from tests.cases import with_slow

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    "make",
    with_slow({make.__name__: make for make in MODULES}, "HiddenTeacher", "Queue", "SlowGroups"),
)
def test_with_one_candidate_hidden_state_is_what_it_is_without_autolr(make):
    assert same(trained(make, AutoLR(rates=(LR, LR), schedule="constant")), trained(make))


@pytest.mark.slow
@pytest.mark.parametrize("make", MODULES)
def test_a_search_with_rivals_is_replayed_bit_for_bit(make):
    callback = AutoLR(RACE, rates=(LR / 8, LR * 32))
    found = trained(make, callback)
    result = callback.result
    assert result.probe_steps > 0
    assert result.peak != LR  # a rival has won
    assert same(found, trained(make, FollowCandidate(result.peak, result.schedule)))


class Outside(Net):
    """Steps what lies outside of any copy."""

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * (1 + 0.01 * self.drawn())

    def drawn(self):
        raise NotImplementedError


class Streaming(Outside):
    """Reads from a generator."""

    def __init__(self):
        super().__init__()
        self.stream = (random.Random(i).random() for i in range(10**6))

    def drawn(self):
        return next(self.stream)


class Remote(Outside):
    """Talks to a process through a socket."""

    def __init__(self):
        super().__init__()
        self.env = Environment()
        self.env.connection, self.other = socket.socketpair()

    def drawn(self):
        self.other.send(b"1")
        return float(self.env.connection.recv(1))

    def on_train_end(self):
        self.env.connection.close()
        self.other.close()


class Locked(Outside):
    """Holds a lock."""

    def __init__(self):
        super().__init__()
        self.guard = threading.Lock()

    def drawn(self):
        with self.guard:
            return 1.0


class Clipped(Outside):
    """Clamps weights by another tensor in their memory."""

    def __init__(self):
        super().__init__()
        self.clipped = [self.net[0].weight.data]

    def drawn(self):
        self.clipped[0].clamp_(-0.1, 0.1)
        return 1.0


class ByClass(Outside):
    """Counts its steps in its class."""

    seen = 0

    def drawn(self):
        ByClass.seen += 1
        return ByClass.seen


class ByModule(Outside):
    """Counts its steps where nothing sees it."""

    def drawn(self):
        SEEN.append(1)
        return len(SEEN)


SEEN: list[int] = []


# Each: the module, what the line names, and whether the check itself leaves a trace.
OUTSIDE = {
    "generator": (Streaming, "no copy can be made of stream (generator)", False),
    "socket": (Remote, "no copy can be made of env.connection (socket), other (socket)", False),
    "lock": (Locked, "no copy can be made of guard (lock)", False),
    "weights": (Clipped, "clipped[0] lies in the memory of a weight", False),
    "class": (ByClass, "a repeated step differs in ByClass.seen", True),
    "global": (ByModule, "a repeated step differs in the gradient of net.0.weight", True),
}


@pytest.mark.parametrize(("make", "named", "leaves"), OUTSIDE.values(), ids=OUTSIDE)
def test_where_a_step_cannot_be_repeated_no_rivals_race_and_a_line_says_what(make, named, leaves):
    SEEN.clear()
    ByClass.seen = 0
    callback = AutoLR(RACE)
    with pytest.warns(UserWarning, match="no rivals are trained") as lines:
        found = trained(make, callback)
    (line,) = (str(w.message) for w in lines if "no rivals" in str(w.message))
    assert named in line
    assert "\n" not in line
    result = callback.result
    assert (result.peak, result.probe_steps, result.validation_passes) == (LR, 0, 0)
    SEEN.clear()
    ByClass.seen = 0
    if not leaves:
        assert same(found, trained(make))


class Timed(Net):
    """Notes times of the clock, which differ each time."""

    def training_step(self, batch, batch_idx):
        self.last, self.times = time.perf_counter(), [time.perf_counter()]
        return super().training_step(batch, batch_idx)


def test_times_of_the_clock_do_not_count_as_state():
    callback = AutoLR(RACE)
    trained(Timed, callback)
    assert callback.result.probe_steps > 0


class Lagging(Net):
    """Keeps a mean of its rates in a global, which only a step of the optimizer changes."""

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure):
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        SEEN.append(1)
        with torch.no_grad():
            self.net[0].weight.mul_(1 - 0.001 * len(SEEN))


def test_verification_makes_steps_again_and_says_what_differs():
    SEEN.clear()
    callback = AutoLR(RACE, verify=True)
    with pytest.warns(UserWarning, match="differs when steps are made again") as lines:
        trained(Lagging, callback)
    named = [str(w.message) for w in lines if "made again" in str(w.message)]
    assert any(line.startswith("AutoLR: net.0.weight differs") for line in named)
    assert callback.result.probe_steps == 0


@pytest.mark.slow
@pytest.mark.parametrize("make", [Teacher, Bank, Momentum, Stepping, Wrapped, Timed])
def test_verification_leaves_no_trace_and_finds_nothing_where_all_is_restored(make):
    verified, plain = AutoLR(RACE, verify=True), AutoLR(RACE)
    assert same(trained(make, verified), trained(make, plain))
    assert verified.result == plain.result
    assert verified.result.probe_steps > 0
