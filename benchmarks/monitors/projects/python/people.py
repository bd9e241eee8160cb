"""Who sends it."""

from __future__ import annotations

from things import Address, Box, Parcel


class Driver:
    badge = "D"

    def __init__(self, name: str, home: Address) -> None:
        self.name, self.home = name, home
        self.load: Box[Parcel] = Box()
        self.routes: dict[str, Route] = {}

    def drives(self) -> Route:
        return Route(self, ["north"])

    async def arrives(self) -> Parcel:
        return Parcel(1)


class Route:
    def __init__(self, driver: Driver, stops: list[str]) -> None:
        self.driver, self.stops = driver, stops

    def longest(self) -> str:
        return max(self.stops, key=len)

    def reversed(self) -> Route:
        return Route(self.driver, self.stops[::-1])

    def pair(self) -> tuple[Driver, Parcel]:
        return self.driver, Parcel(2)


def everybody() -> list[Driver]:
    return [Driver("Ada", Address("Mill Lane 1", "York"))]
