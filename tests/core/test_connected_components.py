from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csgraph

from medmodel.core.connected_components import connected_components


def test_chains_are_one_component() -> None:
    assert connected_components(0, []) == []
    assert connected_components(3, []) == [0, 1, 2]
    assert connected_components(5, [(0, 1), (2, 3), (1, 3)]) == [0, 0, 0, 0, 4]
    assert connected_components(2, [(1, 1)]) == [0, 1]


def test_the_first_nodes_component_takes_in_the_others() -> None:
    assert connected_components(3, [(2, 0), (1, 2)]) == [1, 1, 1]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=15))
def test_as_scipy_but_for_the_names(edges: list[tuple[int, int]]) -> None:
    rows, columns = np.array(edges, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges)), (rows, columns)), shape=(12, 12))
    count, numbers = csgraph.connected_components(graph, directed=False)
    components = connected_components(12, edges)
    assert len(set(zip(components, numbers, strict=True))) == count
    assert len(set(components)) == count
    assert all(components[name] == name for name in components)
