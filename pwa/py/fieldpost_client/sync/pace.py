"""The pace of a line: how much is sent or asked for at once, so that each piece takes seconds.

What breaks off is lost from the last piece on: pieces are small where bytes are slow, and large
where they are quick, since each costs a way there and back.
"""

from dataclasses import dataclass

SMALLEST = 4 << 10
LARGEST = 512 << 10
FIRST = 64 << 10
AIM_S = 4.0
"""So long should one piece take."""
MOST_GROWTH = 8


@dataclass
class Pace:
    """Measures how quickly pieces go through.

    Attributes:
        smallest, largest: sizes of a piece in bytes.
        piece: size of the next piece in bytes.
    """

    smallest: int = SMALLEST
    largest: int = LARGEST
    piece: int = FIRST

    def moved(self, size: int, seconds: float) -> None:
        """Take notice that a piece of `size` bytes went through in so many seconds."""
        fitting = int(size * AIM_S / max(seconds, 0.001))
        if size < self.piece:
            # the last piece of something is short: most of its time is the way there and back
            fitting = max(fitting, self.piece)
        self._set(min(fitting, self.piece * MOST_GROWTH))

    def failed(self) -> None:
        """Take notice that a piece did not go through."""
        self._set(self.piece // 2)

    def _set(self, size: int) -> None:
        self.piece = max(self.smallest, min(size, self.largest))
