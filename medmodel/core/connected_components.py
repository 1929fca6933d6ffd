"""Connected components of a graph by union-find: what is linked, directly or not."""

from __future__ import annotations

from collections.abc import Iterable


def connected_components(count: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Component of each node, named by one of its nodes.

    SciPy's function numbers components otherwise. The order of these names decides
    which fold of a cross-validation a patient is in, so it must stay as it is: folds
    that are trained tomorrow belong to those that were trained before.

    Args:
        count: Nodes are 0 to `count` - 1.
        edges: Pairs of nodes; the first one's component takes in the other's.
    """
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for first, second in edges:
        parent[root(second)] = root(first)
    return [root(node) for node in range(count)]
