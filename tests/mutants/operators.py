"""Mutation operators: the mistakes that a colleague could make, on one AST node each.

An operator gives pairs of a node of the file and what stands in its place.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

Change = tuple[ast.AST, ast.AST]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _both_ways(pairs: dict[Any, Any]) -> dict[Any, Any]:
    return pairs | {second: first for first, second in pairs.items()}


_BOUNDARY = _both_ways({ast.Lt: ast.LtE, ast.Gt: ast.GtE})
_NEGATED = _both_ways(
    {ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.Eq: ast.NotEq}
    | {ast.In: ast.NotIn, ast.Is: ast.IsNot}
)
_ARITHMETIC = _both_ways(
    {ast.Add: ast.Sub, ast.Mult: ast.Div, ast.BitAnd: ast.BitOr}
) | {ast.Pow: ast.Mult}
_COUNTERPART = _both_ways(
    {"min": "max", "minimum": "maximum", "nanmin": "nanmax", "argmin": "argmax"}
    | {"any": "all", "floor": "ceil", "startswith": "endswith", "zeros": "ones"}
)
_SYMMETRIC = {"min", "max", "minimum", "maximum", "hypot", "isinstance", "getattr"}
_TRUE, _FALSE = ast.Constant(True), ast.Constant(False)


def _with(node: Any, **fields: Any) -> Any:
    """A copy of the node with other fields."""
    changed = copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _without(items: list[Any], position: int) -> list[Any]:
    return items[:position] + items[position + 1 :]


def guard(node: ast.If) -> Iterator[Change]:
    """A refusal or an early way out is left out."""
    leaves = ast.Raise | ast.Return | ast.Continue | ast.Break
    if isinstance(node.body[-1], leaves) and not node.orelse:
        yield node.test, _FALSE


def branch(node: ast.If | ast.IfExp) -> Iterator[Change]:
    """One of two ways is always taken; not where that chooses between wordings."""
    ways = [node.body, node.orelse] if isinstance(node, ast.IfExp) else []
    is_wording = any(isinstance(w, ast.Constant) and " " in str(w.value) for w in ways)
    if isinstance(node, ast.If) and list(guard(node)):
        return
    if not is_wording:
        yield node.test, _TRUE
        yield node.test, _FALSE


def condition(node: ast.BoolOp) -> Iterator[Change]:
    """One condition of an `and` or `or` is left out."""
    if not any(_is_text(value) for value in node.values):
        for position in range(len(node.values)):
            rest = _without(node.values, position)
            yield node, rest[0] if len(rest) == 1 else _with(node, values=rest)


def negation(node: ast.UnaryOp) -> Iterator[Change]:
    """A `not` is left out."""
    if isinstance(node.op, ast.Not):
        yield node, node.operand


def selection(node: ast.comprehension) -> Iterator[Change]:
    """A comprehension takes all."""
    for test in node.ifs:
        yield test, _TRUE


def boundary(node: ast.Compare) -> Iterator[Change]:
    """A comparison takes in its bound, or no longer."""
    yield from _compared(node, _BOUNDARY)


def comparison(node: ast.Compare) -> Iterator[Change]:
    """A comparison is negated."""
    yield from _compared(node, _NEGATED)


def _compared(node: ast.Compare, others: dict[Any, Any]) -> Iterator[Change]:
    for position, operator in enumerate(node.ops):
        if other := others.get(type(operator)):
            operators = [*node.ops[:position], other(), *node.ops[position + 1 :]]
            yield node, _with(node, ops=operators)


def arithmetic(node: ast.BinOp) -> Iterator[Change]:
    """Another arithmetic operator."""
    if (other := _ARITHMETIC.get(type(node.op))) and not _joins(node):
        yield node, _with(node, op=other())


def operands(node: ast.BinOp) -> Iterator[Change]:
    """The two sides of a difference or ratio change places."""
    if isinstance(node.op, ast.Sub | ast.Div) and not _joins(node):
        yield node, _with(node, left=node.right, right=node.left)


def _joins(node: ast.BinOp) -> bool:
    """Whether it joins text, lists, paths or types, and computes nothing."""
    if isinstance(node.op, ast.Div):
        name = ast.unparse(node.left).lower().rstrip("()")
        if name.endswith(("folder", "path", "root", "place", "parent", "dir")):
            return True
    return any(
        isinstance(side, ast.List | ast.ListComp | ast.Tuple | ast.Dict)
        or _is_text(side)
        or (isinstance(node.op, ast.BitOr) and _is_type(side))
        for side in (node.left, node.right)
    )


def _is_text(node: ast.expr) -> bool:
    is_number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return isinstance(node, ast.JoinedStr | ast.Constant) and not is_number


def _is_type(node: ast.expr) -> bool:
    """Whether it is a type or a flag of the operating system."""
    name = ast.unparse(node).rsplit(".", 1)[-1]
    return bool(re.fullmatch("int|str|bool|float|list|[A-Z]+_?[A-Za-z]+", name))


def counterpart(node: ast.Call) -> Iterator[Change]:
    """The opposite function: min for max, any for all."""
    field = "id" if isinstance(node.func, ast.Name) else "attr"
    if other := _COUNTERPART.get(called(node)):
        yield node.func, _with(node.func, **{field: other})


def argument_order(node: ast.Call) -> Iterator[Change]:
    """The first two arguments change places."""
    first_two = node.args[:2]
    names = all(isinstance(a, ast.Name | ast.Attribute) for a in first_two)
    if len(first_two) == 2 and names and called(node) not in _SYMMETRIC:
        yield node, _with(node, args=[*first_two[::-1], *node.args[2:]])


def keyword(node: ast.Call) -> Iterator[Change]:
    """A keyword argument is forgotten."""
    if called(node)[:1].islower():
        for position, argument in enumerate(node.keywords):
            if argument.arg:
                rest = _without(node.keywords, position)
                yield node, _with(node, keywords=rest)


def called(node: ast.Call) -> str:
    """Last name of the function called."""
    return ast.unparse(node.func).rsplit(".", 1)[-1]


def constant(node: ast.Constant) -> Iterator[Change]:
    """Another number, or the other truth value."""
    value = node.value
    if isinstance(value, bool):
        yield node, ast.Constant(not value)
    elif isinstance(value, int):
        yield node, ast.Constant(value + 1 if value < 16 else value * 2)
    elif isinstance(value, float) and math.isfinite(value):
        if 0.5 < value < 1:
            yield node, ast.Constant(round(1 - 2 * (1 - value), 10))
        elif value == 0 or abs(value) > 1e-4:
            yield node, ast.Constant({0.0: 1.0, 1.0: 0.0}.get(value, value * 2))


def bound(node: ast.Subscript) -> Iterator[Change]:
    """A bound of a slice, or an index from an end, moves by one."""
    places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for place in places:
        if isinstance(place, ast.Slice):
            if place.lower:
                yield place.lower, _next(place.lower)
            if place.upper:
                yield place.upper, _next(place.upper)
        elif ast.unparse(place) == "-1":
            yield place, ast.Constant(0)


def _next(node: ast.expr) -> ast.expr:
    return ast.BinOp(node, ast.Add(), ast.Constant(1))


def context(node: ast.With | ast.AsyncWith) -> Iterator[Change]:
    """A lock or another context manager is left out."""
    for position, item in enumerate(node.items):
        if item.optional_vars is None:
            rest = _without(node.items, position)
            bare = ast.If(test=_TRUE, body=node.body, orelse=[])
            yield node, _with(node, items=rest) if rest else bare


def handler(node: ast.ExceptHandler) -> Iterator[Change]:
    """One kind of error is no longer handled."""
    if isinstance(node.type, ast.Tuple):
        for position in range(len(node.type.elts)):
            elements = _without(node.type.elts, position)
            yield node.type, ast.Tuple(elements, ast.Load())


def refusal(node: ast.ExceptHandler) -> Iterator[Change]:
    """An error is swallowed instead of raised in other words."""
    if isinstance(node.body[-1], ast.Raise):
        yield node.body[-1], ast.Pass()


def result(node: Function) -> Iterator[Change]:
    """A truth value or number is returned negated."""
    kind = ast.unparse(node.returns) if node.returns else ""
    if operator := {"bool": ast.Not(), "int": ast.USub(), "float": ast.USub()}.get(
        kind
    ):
        for inner in _inside(node):
            value = inner.value if isinstance(inner, ast.Return) else None
            if value and not isinstance(value, ast.Constant):
                yield value, ast.UnaryOp(operator, value)


def deletion(node: Function | ast.Module) -> Iterator[Change]:
    """A statement is forgotten: a call, or an assignment to what has a value."""
    assigned = set()
    if isinstance(node, Function):
        assigned = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
    for inner in _inside(node):
        if isinstance(inner, ast.AugAssign) or _is_call(inner):
            yield inner, ast.Pass()
        elif isinstance(inner, ast.Assign):
            target = inner.targets[0]
            if isinstance(target, ast.Attribute | ast.Subscript):
                if getattr(node, "name", "") != "__init__":
                    yield inner, ast.Pass()
            elif isinstance(target, ast.Name) and target.id in assigned:
                yield inner, ast.Pass()
            assigned |= {t.id for t in inner.targets if isinstance(t, ast.Name)}


def _is_call(node: ast.AST) -> bool:
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    return isinstance(value.value if isinstance(value, ast.Await) else value, ast.Call)


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes in the order of the text, but not those of functions within."""
    for child in ast.iter_child_nodes(node):
        yield child
        is_main = isinstance(child, ast.If) and "__name__" in ast.unparse(child.test)
        if not is_main and not isinstance(child, Function | ast.ClassDef | ast.Lambda):
            yield from _inside(child)


# Share of a sample (whatever the number of places), node changed, operator.
OPERATORS: list[tuple[float, Any, Callable[[Any], Iterator[Change]]]] = [
    (3, ast.If, guard),
    (1.5, ast.If | ast.IfExp, branch),
    (3, ast.BoolOp, condition),
    (1, ast.UnaryOp, negation),
    (0.5, ast.comprehension, selection),
    (3, ast.Compare, boundary),
    (2, ast.Compare, comparison),
    (3, ast.BinOp, arithmetic),
    (1, ast.BinOp, operands),
    (1, ast.Call, counterpart),
    (1, ast.Call, argument_order),
    (1.5, ast.Call, keyword),
    (3, ast.Constant, constant),
    (2, ast.Subscript, bound),
    (1.5, ast.With | ast.AsyncWith, context),
    (0.5, ast.ExceptHandler, handler),
    (0.5, ast.ExceptHandler, refusal),
    (1, Function, result),
    (3, Function | ast.Module, deletion),
]
