"""Whether the head of the cluster answers that MEDMODEL_RAY names."""

from __future__ import annotations

from collections.abc import Iterator

from medmodel.cli.doctor.finding import Finding
from medmodel.cluster.head import Head
from medmodel.cluster.records import places
from medmodel.core.environment import ray_address
from medmodel.core.errors import ClusterError
from medmodel.language import _, ngettext

_START = "ray start --head --dashboard-host=0.0.0.0"


def cluster_findings() -> Iterator[Finding]:
    """Nothing where runs are trained on this machine."""
    if ray_address():
        yield cluster()


def cluster() -> Finding:
    """Whether the head answers, and what its nodes take."""
    try:
        head = Head.from_environment()
        version, nodes = head.version(), head.nodes()
    except ClusterError as error:
        return Finding("cluster", "problem", str(error), _START)
    if not any(node.cpus for node in nodes):
        return Finding(
            "cluster",
            "warning",
            _(
                "The head of the cluster answers (Ray {version}), and it has no node "
                "that could train.",
                version=version,
            ),
            "ray start --address=head:6379",
        )
    sentence = ngettext(
        "Runs are trained on a cluster of {count:,} node (Ray {version}), {places:,} "
        "at once.",
        "Runs are trained on a cluster of {count:,} nodes (Ray {version}), {places:,} "
        "at once.",
        len(nodes),
        version=version,
        places=places(nodes),
    )
    return Finding("cluster", "ok", sentence)
