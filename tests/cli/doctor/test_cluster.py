"""Whether the head of the cluster answers, and what is said where it does not."""

from __future__ import annotations

import pytest

from medmodel.cli.doctor.cluster import cluster_findings
from tests.stub_head import stub_head


def test_nothing_without_a_cluster() -> None:
    assert not list(cluster_findings())


def test_a_cluster_well_and_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub_head() as head:
        monkeypatch.setenv("MEDMODEL_RAY", head.address)
        (well,) = cluster_findings()
        assert well.level == "ok"
        assert "2 nodes (Ray 2.60.0), 2 at once" in well.sentence
        for head.nodes in ([], [(0, 0)]):  # a head may train nothing itself
            (empty,) = cluster_findings()
            assert empty.level == "warning" and "no node" in empty.sentence
        head.token = "hush"
        (refused,) = cluster_findings()
        assert refused.level == "problem" and "another token" in refused.sentence
    (away,) = cluster_findings()
    assert "cannot be reached" in away.sentence and away.mend
