"""What viewers are told of a run's growing files."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.core.config import config_for
from medmodel.runs.progress import live, watched
from medmodel.runs.progress.live import POINTS, Curve, Feed, Position, Tail
from medmodel.runs.progress.watched import Watched, WatchedImage
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus

HEADER = "time,epoch,step,loss,accuracy\n"


@pytest.fixture
def run(workspace: Path) -> Run:
    return RunStore(workspace).create(config_for("instant", "/data/lungs"))


def write(run: Run, name: str, text: str, mode: str = "a") -> None:
    with (run.folder / name).open(mode) as file:
        file.write(text)


def steps(first: int, last: int) -> str:
    return "".join(f"0,1,{i},{1 / i},{0.5}\n" for i in range(first, last + 1))


def feed_of(run: Run) -> Feed:
    feed = Feed(run, RunStore(run.folder.parent.parent))
    feed.poll()
    return feed


def test_only_whole_lines_are_read_and_each_once(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    tail = Tail(path, ("step", "loss"))
    assert tail.read() == (False, [])
    path.write_text("step,other,loss\n1,x,0.5\n2,x,0.")
    assert tail.read() == (True, [[1, 0.5]])
    with path.open("a") as file:
        file.write("25\n3,x,nan\n")
    anew, rows = tail.read()
    assert not anew
    assert rows[0] == [2, 0.25]
    assert rows[1][0] == 3 and math.isnan(rows[1][1])
    assert tail.read() == (False, [])


def test_a_shorter_or_another_file_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    tail = Tail(path, ("step",))
    path.write_text("step\n1\n2\n3\n")
    tail.read()
    path.write_text("step\n1\n")
    assert tail.read() == (True, [[1]])
    path.rename(tmp_path / "old.csv")
    path.write_text("step\n7\n8\n9\n")
    assert tail.read() == (True, [[7], [8], [9]])


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.floats(0, 9, width=16)), min_size=1, max_size=30
    ),
    st.lists(st.integers(0, 30), max_size=4),
)
def test_reading_in_pieces_gives_what_reading_at_once_gives(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, float]],
    cuts: list[int],
) -> None:
    path = tmp_path_factory.mktemp("curve") / "steps.csv"
    lines = [f"{step},{loss}\n" for step, loss in rows]
    path.write_text("step,loss\n")
    pieces = Curve(Tail(path, ("step", "loss")))
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(lines)], strict=True):
        with path.open("a") as file:
            file.writelines(lines[start:end])
        pieces.poll()
    whole = Curve(Tail(path, ("step", "loss")))
    whole.poll()
    assert pieces.columns == whole.columns
    assert pieces.rewinds == whole.rewinds
    order = list(whole.columns[0])
    assert order == sorted(set(order))


def test_a_resumed_run_replaces_the_steps_it_repeats(run: Run) -> None:
    write(run, "steps.csv", HEADER + steps(1, 6))
    feed = feed_of(run)
    held = feed.position
    write(run, "steps.csv", "0,1,5,9,0.1\n")
    assert feed.poll()
    told = json.loads(feed.message(held))
    assert told["reset"]
    assert told["steps"][0] == [1, 2, 3, 4, 5]
    assert told["steps"][1][-1] == 9


def test_a_viewer_is_sent_only_what_it_lacks(run: Run) -> None:
    write(run, "steps.csv", HEADER + steps(1, 3))
    feed = feed_of(run)
    first = json.loads(feed.message(Position()))
    assert first["reset"] and first["status"]["state"] == "queued"
    held = feed.position
    write(run, "steps.csv", steps(4, 5))
    write(run, "history.csv", "attempt,epoch,step,loss,val_loss\n1,1,5,0.3,0.4\n")
    feed.poll()
    # The history is a new file, so everything is told again, once.
    assert json.loads(feed.message(held))["reset"]
    held = feed.position
    write(run, "steps.csv", steps(6, 6))
    feed.poll()
    told = json.loads(feed.message(held))
    assert not told["reset"] and "status" not in told
    assert told["steps"][0] == [6]
    assert told["epochs"][0] == []
    assert told["at"] == [6, 1, 0]


def test_who_comes_back_after_a_restart_goes_on_where_it_was(run: Run) -> None:
    write(run, "steps.csv", HEADER + steps(1, 8) + steps(7, 9))
    known = feed_of(run)
    text = f"{known.key}:{len(known.steps)}:{len(known.epochs)}"
    write(run, "steps.csv", steps(10, 10))
    told = json.loads(feed_of(run).message(Position.parse(text)))
    assert not told["reset"]
    assert told["steps"][0] == [10]


@pytest.mark.parametrize("text", ["", "a", "a:b:c", "a:1", "a:-1:2", "::", "a:²:0"])
def test_nonsense_is_no_position(text: str) -> None:
    assert Position.parse(text) == Position()


def test_a_long_curve_is_thinned_and_keeps_its_extremes(run: Run) -> None:
    rows = [f"0,1,{i},{0.5},{0.5}\n" for i in range(1, 20_001)]
    rows[7_777] = "0,1,7778,42,0.5\n"
    rows[12_345] = "0,1,12346,0.001,0.5\n"
    write(run, "steps.csv", HEADER + "".join(rows))
    told = json.loads(feed_of(run).message(Position()))
    x, loss, _ = told["steps"]
    assert len(x) <= POINTS + 2
    assert x == sorted(x)
    assert (x[0], x[-1]) == (1, 20_000)
    assert max(loss) == 42 and min(loss) == 0.001
    assert told["at"][0] == 20_000


def test_values_that_are_no_numbers_become_null(run: Run) -> None:
    write(run, "steps.csv", HEADER + "0,1,1,nan,0.5\n0,1,2,inf,\n")
    told = json.loads(feed_of(run).message(Position()))
    assert told["steps"] == [[1, 2], [None, None], [0.5, None]]


def test_a_worker_that_is_gone_is_told_without_a_change_of_files(run: Run) -> None:
    lock = run.lock
    assert lock.acquire()
    run.write_status(
        replace(run.status, state=RunStatus.RUNNING, heartbeat=time.time())
    )
    feed = feed_of(run)
    assert feed.status["state"] == "running" and feed.active
    lock.release()
    feed._looked = 0.0  # as if a second had passed
    assert feed.poll()
    assert feed.status["state"] == "interrupted" and not feed.active


def test_a_deleted_run_is_told_once(run: Run) -> None:
    feed = feed_of(run)
    RunStore(run.folder.parent.parent).delete(run)
    assert feed.poll()
    assert feed.status == {"state": "deleted"}
    assert not feed.poll()


def test_the_queue_before_a_run_is_counted(workspace: Path) -> None:
    store = RunStore(workspace)
    made = [store.create(config_for("instant", "/data/lungs")) for _ in range(3)]
    places = sorted(made, key=lambda r: r.id)
    assert [feed_of(r).status["before"] for r in places] == [0, 1, 2]


def test_a_run_that_waits_for_a_cluster_says_what_for(workspace: Path) -> None:
    run = RunStore(workspace).create(config_for("instant", "/data/lungs"))
    assert not feed_of(run).status["told"]
    run.write_status(replace(run.status, message="Sent to the cluster."))
    assert feed_of(run).status["told"]


def test_a_status_that_only_grew_older_is_no_news(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = feed_of(run)
    number, now = feed.status_number, time.time()
    monkeypatch.setattr(live.time, "time", lambda: now + 60)
    feed._looked = 0.0  # as if a second had passed
    assert not feed.poll()
    assert feed.status_number == number
    run.write_status(replace(run.status, message="Soon."))
    assert feed.poll() and feed.status["age"] >= 60


def test_a_stop_is_told_before_the_worker_heeds_it(run: Run) -> None:
    with run.lock:
        run.write_status(replace(run.status, state=RunStatus.RUNNING))
        feed = feed_of(run)
        assert feed.status["stopping"] is False
        run.request_stop()
        feed._looked = 0.0
        assert feed.poll() and feed.status["stopping"] is True


def test_watched_images_come_once_and_their_scores_grow(run: Run) -> None:
    feed = feed_of(run)
    assert "images" not in json.loads(feed.message(Position()))
    images = Watched(["a", "b"], [WatchedImage("a", "data:,")])
    watched.begin(run, images, 0)
    watched.append_scores(run, 1, [[0.25, 0.75]])
    before = feed.position
    assert feed.poll()
    first = json.loads(feed.message(before))
    assert first["images"]["images"] == [{"label": "a", "png": "data:,"}]
    assert first["samples"] == [[1], [0.25], [0.75]]
    position = feed.position
    watched.append_scores(run, 2, [[0.5, 0.5]])
    feed.poll()
    later = json.loads(feed.message(position))
    assert "images" not in later and later["samples"] == [[2], [0.5], [0.5]]
    again = json.loads(feed.message(Position.parse(f"{feed.key}:0:0:2")))
    assert "images" in again and again["samples"] == [[], [], []]


@pytest.mark.parametrize("text", ["k:1:2", "k:1:2:3"])
def test_a_position_of_an_earlier_page_is_understood(text: str) -> None:
    samples = 3 if text.endswith("3") else 0
    assert Position.parse(text) == Position("k", 1, 2, samples=samples)
