"""Changes of the schema that nobody announced: neither the forecast of a plan nor its rehearsal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set

from rollback_tui.core.model import Value
from rollback_tui.core.names import Chain, chains, parts
from rollback_tui.core.schema import Difference

_OF_A_TABLE = ("index ", "trigger ", "rule ", "policy ", "statistics ", "sequence ", "constraint ")
"""Objects whose definition names the table they belong to; of all others what the definition
mentions explains nothing."""

_FOLLOWS = ("owner of ", "grants on ", "comment on ", "security label on ")
_WORD = re.compile(r'"(?:[^"]|"")+"|[^\W\d][\w$]*|\s+|.', re.DOTALL)


class Announced(Value, frozen=True, kw_only=True):
    """What a plan says that it changes."""

    named: frozenset[str]
    """Names of objects, qualified or as written."""
    path: tuple[str, ...] = ("public",)
    """Schemas in which a name without one is looked up or made."""
    schemas: frozenset[str] = frozenset()
    """Schemas that are made, dropped or renamed: with all that is in them."""
    granted: frozenset[str] = frozenset()
    """Schemas on whose objects privileges are granted or revoked."""
    kinds: tuple[tuple[str, frozenset[str]], ...] = ()
    """(class of object, words of the statement) of statements that name no object here:
    ``event trigger``, ``cast``."""
    renamed: frozenset[tuple[str, str]] = frozenset()
    """(old, new) words: definitions elsewhere are written differently then, and mean the same."""


def elsewhere(differences: Iterable[Difference], plan: Announced) -> tuple[Difference, ...]:
    """Return the differences that belong to nothing that ``plan`` announces."""
    every = tuple(differences)
    known = _Known(plan)
    ours = {d.object for d in every if known.belongs(d)}
    ours |= _renamed(every, ours, plan.renamed)
    return tuple(d for d in every if d.object not in ours and _followed(d.object) not in ours)


def _followed(name: str) -> str:
    """``table public.users`` of ``owner of table public.users``."""
    for prefix in _FOLLOWS:
        name = name.removeprefix(prefix)
    return name


class _Known:
    """The names of a plan, taken apart once."""

    def __init__(self, plan: Announced) -> None:
        self._plan = plan
        named = {chain for name in plan.named if (chain := parts(name))}
        alone = {chain for chain in named if len(chain) == 1}
        self._chains = named | {(schema, *chain) for schema in plan.path for chain in alone}
        self._schemas = {chain for name in plan.schemas if (chain := parts(name))}
        self._granted = {chain for name in plan.granted if (chain := parts(name))}

    def belongs(self, difference: Difference) -> bool:
        """Whether it is an object that is named, one of its parts, or of a class that is."""
        name = difference.object
        if self._among(name) or self._of_a_kind(name):
            return True
        if name.startswith("grants on ") and any(
            chain[:1] in self._granted for chain in chains(name)
        ):
            return True
        if not _followed(name).startswith(_OF_A_TABLE):
            return False
        return all(d is None or self._among(d) for d in (difference.before, difference.after))

    def _of_a_kind(self, name: str) -> bool:
        words = {word for chain in chains(name) for word in chain}
        return any(
            (_followed(name).startswith(f"{kind} ") or name.startswith(f"{kind} "))
            and (not said or not words.isdisjoint(said - set(kind.split())))
            for kind, said in self._plan.kinds
        )

    def _among(self, text: str) -> bool:
        return any(
            chain in self._chains
            or (len(chain) > 1 and chain[:1] in self._schemas)
            or any(chain[:size] in self._chains for size in range(2, len(chain)))
            for chain in chains(text)
        )


def _renamed(every: Sequence[Difference], ours: Set[str], pairs: Set[tuple[str, str]]) -> set[str]:
    """What differs by nothing but the names that the plan changes: in its definition, or as an
    object that went and came back under the new one."""
    if not pairs:
        return set()
    came = [d for d in every if d.before is None]
    found: set[str] = set()
    for difference in every:
        if difference.before is not None and difference.after is not None:
            if _same_but(difference.before, difference.after, pairs):
                found.add(difference.object)
        elif difference.after is None and difference.before is not None:
            for other in came:
                if _same_but(difference.object, other.object, pairs) and _same_but(
                    difference.before, other.after or "", pairs
                ):
                    found |= {difference.object, other.object}
    return found - set(ours)


def _same_but(before: str, after: str, pairs: Set[tuple[str, str]]) -> bool:
    """Whether two texts differ only in words that the plan renames."""
    if before == after:
        return True
    # A view keeps the names of its own columns: "z AS a".
    for was, now in pairs:
        after = after.replace(f" {now} AS {was}", f" {now}").replace(f".{now} AS {was}", f".{now}")
    old, new = _WORD.findall(before), _WORD.findall(after)
    return len(old) == len(new) and all(
        a == b or (_bare(a), _bare(b)) in pairs for a, b in zip(old, new, strict=True)
    )


def _bare(word: str) -> str:
    chain: Chain = parts(word)
    return chain[0] if chain else word
