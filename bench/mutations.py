"""Small changes to a module's syntax tree, each of which some test should notice (mutation testing).

Offutt et al. (1996) found that few kinds of change stand for all. Taken here: another comparison, another operator,
numbers ± 1, the other truth, `and` for `or`, a condition that is always or never so, a filter left out, a result of
None, a call or an addition left out, an error that is not raised, two arguments swapped. Left alone: annotations,
decorators, texts, and what is said where an error is raised.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
    ast.MatMult: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
EITHER_ORDER = {"min", "max", "isinstance", "print"}
"""Functions that swapped arguments do nothing to, or only break."""


class Mutant(NamedTuple):
    """One change: the line where it is, the code before and after; whether a function's body holds it; the whole."""

    line: int
    was: str
    now: str
    inside: bool
    tree: ast.Module


def mutants_of(source: str) -> list[Mutant]:
    """All changes to a module, by line."""
    tree = ast.parse(source)
    found = []
    for place in list(_places(tree)):
        node = _at(tree, place)
        for changed in _changes(node):
            other = copy.deepcopy(tree)
            _set(other, place, changed)
            ast.fix_missing_locations(other)
            line = node.target.lineno if isinstance(node, ast.comprehension) else node.lineno
            found.append(Mutant(line, _shown(node), _shown(changed), _inside(tree, place), other))
    return found


Place = tuple[tuple[str, int | None], ...]
"""The way from the module to a node: fields, and where in them."""


def _places(node: ast.AST, way: Place = ()) -> Iterator[Place]:
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "exc", "type_params", "msg"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _left_alone(child):
                here: Place = (*way, (field, index))
                if hasattr(child, "lineno") or isinstance(child, ast.comprehension):
                    yield here
                yield from _places(child, here)


def _inside(tree: ast.AST, place: Place) -> bool:
    return any(
        field == "body" and isinstance(_at(tree, place[:depth]), (ast.FunctionDef, ast.AsyncFunctionDef))
        for depth, (field, _) in enumerate(place)
    )


def _left_alone(node: ast.AST) -> bool:
    """Texts, types given a name, and what is only there for the type checker."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        return name[:1].isupper() and not name.isupper()  # a type
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Call)
    return isinstance(node, (ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom))


def _at(tree: ast.AST, place: Place) -> Any:
    node: Any = tree
    for field, index in place:
        node = getattr(node, field) if index is None else getattr(node, field)[index]
    return node


def _set(tree: ast.AST, place: Place, changed: ast.AST) -> None:
    *before, (field, index) = place
    parent = _at(tree, tuple(before))
    if index is None:
        setattr(parent, field, changed)
    else:
        getattr(parent, field)[index] = changed


def _shown(node: ast.AST) -> str:
    first = ast.unparse(node).strip().splitlines()[0]
    return first if len(first) <= 120 else first[:117] + "..."


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    change = CHANGES.get(type(node))
    if change:
        yield from change(node)


def _with(node: Any, **fields: Any) -> Any:
    changed = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _of_comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for place, op in enumerate(node.ops):
        for other in COMPARISONS[type(op)]:
            yield _with(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])


def _of_operation(node: ast.BinOp | ast.AugAssign) -> Iterator[ast.AST]:
    text = isinstance(node, ast.BinOp) and any(isinstance(s, ast.JoinedStr) for s in (node.left, node.right))
    if not text:
        yield _with(node, op=OPERATORS[type(node.op)]())
    if isinstance(node, ast.AugAssign):
        yield ast.copy_location(ast.Pass(), node)


def _of_constant(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield _with(node, value=not node.value)
    elif isinstance(node.value, (int, float)):
        yield _with(node, value=node.value + 1)
        yield _with(node, value=node.value - 1)


def _of_condition(node: ast.If | ast.IfExp) -> Iterator[ast.AST]:
    for always in (True, False):
        yield _with(node, test=ast.copy_location(ast.Constant(always), node.test))


def _of_comprehension(node: ast.comprehension) -> Iterator[ast.AST]:
    for place in range(len(node.ifs)):
        yield _with(node, ifs=[*node.ifs[:place], *node.ifs[place + 1 :]])


def _of_return(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield _with(node, value=ast.copy_location(ast.Constant(None), node.value))


def _of_call(node: ast.Call) -> Iterator[ast.AST]:
    plain = len(node.args) > 1 and not any(isinstance(each, ast.Starred) for each in node.args[:2])
    if plain and not (isinstance(node.func, ast.Name) and node.func.id in EITHER_ORDER):
        yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])


def _left_out(node: ast.stmt) -> Iterator[ast.AST]:
    yield ast.copy_location(ast.Pass(), node)


def _of_jump(node: ast.stmt) -> Iterator[ast.AST]:
    other = ast.Break() if isinstance(node, ast.Continue) else ast.Continue()
    yield ast.copy_location(other, node)


def _of_not(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield copy.deepcopy(node.operand)


def _of_both(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


CHANGES: dict[type, Callable[[Any], Iterator[ast.AST]]] = {
    ast.Compare: _of_comparison,
    ast.BinOp: _of_operation,
    ast.AugAssign: _of_operation,
    ast.UnaryOp: _of_not,
    ast.BoolOp: _of_both,
    ast.Constant: _of_constant,
    ast.If: _of_condition,
    ast.IfExp: _of_condition,
    ast.comprehension: _of_comprehension,
    ast.Return: _of_return,
    ast.Call: _of_call,
    ast.Expr: _left_out,
    ast.Raise: _left_out,
    ast.Continue: _of_jump,
    ast.Break: _of_jump,
}
