"""Who imports whom, as arrows from file to file: circles among them, and who reaches whom."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping

from tests.house.laws import imports, module_of, room_of
from tests.house.walls import REQUEST_SIDE


def rooms_entered(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Draw the arrows from file to file: place -> the places that it imports."""
    places = {module_of(place): place for place in sources}
    arrows: dict[str, set[str]] = {place: set() for place in sources}
    for place, text in sources.items():
        for _, module, name in imports(place, text):
            target = places.get(f"{module}.{name}") or places.get(module)
            if target is not None and target != place:
                arrows[place].add(target)
    return arrows


def circle_in(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """Find a circle among the arrows; the empty list is none."""
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def reached_from(start: Iterable[str], arrows: Mapping[str, Iterable[str]]) -> set[str]:
    """Follow the arrows to their ends, but not through the demo, which is an application."""
    found: set[str] = set()
    ahead = list(start)
    while ahead:
        place = ahead.pop()
        if place not in found and room_of(place) != "demo":
            found.add(place)
            ahead += arrows[place]
    return found


def meetings(sources: Mapping[str, str]) -> list[str]:
    """Name the files in which the side of the requests reaches ops, or ops reaches that side."""
    arrows = rooms_entered(sources)
    requests = {place for place in sources if room_of(place) in REQUEST_SIDE}
    operators = {place for place in sources if place.startswith("ops/")}
    met = reached_from(requests, arrows) & operators | reached_from(operators, arrows) & requests
    return sorted(met)
