"""Plant many bugs in one source, each asleep: all of them are compiled at once, and a variable chooses the one awake.

A mutant changes one place inside one function. That function gets a copy with the change in it, and begins by asking
whether that copy is to run instead:

    cdef inline int f(int x) noexcept nogil:
        if mmbt_planted() == 7:
            return f__name_of_the_mutant(x)
        ...
"""

from __future__ import annotations

import re
from typing import NamedTuple

CHOICE = "MMBT_MUTANT"  # the number of the mutant that is awake; none without it
HEAD = re.compile(r"^( *)(?:cdef|cpdef|def) [^=\n(]*?(\w+)\(", re.M)
PRELUDE = f'''cdef extern from *:
    """
    #ifndef MMBT_PLANTED
    #define MMBT_PLANTED
    #include <stdlib.h>
    static int mmbt_planted_number = -1;
    static inline int mmbt_planted(void) {{
        if (mmbt_planted_number < 0) {{
            const char* number = getenv("{CHOICE}");
            mmbt_planted_number = number ? atoi(number) : 0;
        }}
        return mmbt_planted_number;
    }}
    #endif
    """
    int mmbt_planted() noexcept nogil

'''


class Mutant(NamedTuple):
    name: str
    clause: str
    file: str
    find: str
    replace: str


class _Function(NamedTuple):
    indent: str
    name: str
    signature: str
    begin: int
    body: int
    end: int


def _function_around(text: str, begin: int, end: int) -> _Function:
    """The innermost function that holds all of text[begin:end]."""
    for head in reversed(list(HEAD.finditer(text, 0, end))):
        depth, place = 1, head.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[place], 0)
            place += 1
        colon = re.compile(r"[^\n:]*:\n").match(text, place)
        if colon is None:
            continue
        after = re.compile(rf"^ {{0,{len(head[1])}}}\S", re.M).search(text, colon.end())
        stop = colon.end() + len(text[colon.end():after.start() if after else None].rstrip()) + 1
        if head.start() <= begin and end <= stop:
            return _Function(head[1], head[2], text[head.end():place - 1], head.start(), colon.end(), stop)
    raise ValueError("it lies in no function")


def _planted(text: str, mutant: Mutant, number: int, sound: str) -> str:
    """The text with one mutant more; the copy is made of the function as it is in the sound text."""
    if sound.count(mutant.find) != 1:
        raise ValueError(f"its text occurs {sound.count(mutant.find)} times in {mutant.file}, not once")
    place = sound.index(mutant.find)
    function = _function_around(sound, place, place + len(mutant.find))
    head, body = sound[function.begin:function.body], sound[function.body:function.end]
    names = re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", re.sub(r"\[[^]]*\]", "", function.signature).strip())
    copy = f"{function.name}__{mutant.name}"
    call = f"{copy}({', '.join(names)})"
    if function.indent and names[:1] == ["self"]:
        call = f"self.{copy}({', '.join(names[1:])})"
    inner = function.indent + "    "
    asks = f"{inner}if mmbt_planted() == {number}:\n"
    if re.search(rf"\bvoid {function.name}\(", head):
        asks += f"{inner}    {call}\n{inner}    return\n"
    else:
        asks += f"{inner}    return {call}\n"
    where = text.index(head) + len(head)
    after = text.index(body, where) + len(body)  # before it stand at most the questions of other mutants
    changed = sound[function.begin:function.end].replace(mutant.find, mutant.replace)
    changed = changed.replace(f"{function.name}(", f"{copy}(", 1)
    return f"{text[:where]}{asks}{text[where:after]}\n{changed}{text[after:]}"


def plant(sources: dict[str, str], mutants: list[Mutant]) -> tuple[dict[str, str], dict[str, str]]:
    """The sources with all mutants in them, the first of number 1; and by name why some could not be planted."""
    planted, faults = dict(sources), {}
    for number, mutant in enumerate(mutants, 1):
        try:
            planted[mutant.file] = _planted(planted[mutant.file], mutant, number, sources[mutant.file])
        except ValueError as error:
            faults[mutant.name] = str(error)
    return {name: PRELUDE + text for name, text in planted.items() if text != sources[name]}, faults
