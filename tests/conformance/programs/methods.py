"""Methods as helpers: of an object made in the pipeline, inherited, static,
a callable object."""

from drawloom import pipeline, task


@task
def scale(number: int, factor: int) -> int:
    return number * factor


@task
def inc(number: int) -> int:
    return number + 1


class Scaler:
    """Scales by a factor."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def apply(self, number: int) -> int:
        if number < 0:
            return self.rejected()
        return scale(number, self.factor)

    def rejected(self) -> int:
        return -1

    @staticmethod
    def once(number: int) -> int:
        return inc(number)

    def __call__(self, number: int) -> int:
        return self.apply(self.once(number))


class Shifted(Scaler):
    """Scales, then shifts."""

    def apply(self, number: int) -> int:
        return inc(super().apply(number))

    @classmethod
    def double(cls) -> "Shifted":
        return cls(2)


@pipeline
def scaled(number: int, factor: int) -> tuple[int, int, int]:
    plain = Scaler(3)
    shifted = Shifted.double()
    return plain(number), shifted(number) * factor, shifted.apply(plain.apply(number))


CASES = {
    "positive": (scaled, {"number": 4, "factor": 2}),
    "negative": (scaled, {"number": -4, "factor": 2}),
    "edge": (scaled, {"number": -1, "factor": 0}),
}
