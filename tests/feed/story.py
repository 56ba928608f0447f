"""Stories of programs and devices: who does what next is drawn, and the same for the same seed."""

import random
from collections import Counter

from apps import clinic
from feed.devices import FeedDevice
from feed.programs import Program
from feed.statements import base_rows, statement
from fieldpost_server.proofs.checksums import Checksums
from fieldpost_server.storage.database import Database

PROGRAMS = 4
STEPS = 60


class Stories:
    """Programs with open connections and devices on one database, for one story after another.

    Attributes:
        told: how often what happened, for the test of the test.
    """

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.programs = [Program(url, f"p{number}") for number in range(PROGRAMS)]
        wanted = (("anna", 5_000), ("anna", 2), ("bert", 5_000))
        sums = Checksums(clinic.app)
        self.devices = [FeedDevice(clinic.app, database, *each, sums) for each in wanted]
        self.truncations = 0
        self.told: Counter[str] = Counter()
        self.script: list[str] = []

    def tell(self, seed: int) -> None:
        """Tell one story from the base rows on; raises AssertionError where a device differs."""
        chance = random.Random(seed)
        self.script = [f"story {seed} on {self.database.dialect}"]
        self._start_again()
        try:
            for _ in range(STEPS):
                self._step(chance)
            self._end(chance)
        except AssertionError as error:
            error.add_note("\n".join(self.script))
            raise
        finally:
            self._stop()

    def close(self) -> None:
        for program in self.programs:
            program.close()

    def _start_again(self) -> None:
        first = self.programs[0]
        first.run("BEGIN")
        for sql in base_rows():
            first.run(sql)
        first.run("COMMIT")
        for device in self.devices:
            self._pull(device)

    def _step(self, chance: random.Random) -> None:
        if chance.random() < 0.25:
            self._pull_somehow(chance.choice(self.devices), chance)
            return
        program = chance.choice(self.programs)
        if program.prepared and not program.is_open and chance.random() < 0.3:
            self._end_prepared(program, chance)
        elif not program.is_open and chance.random() < 0.7:
            self._note(program, "begins")
            program.begin(chance)
        elif program.is_open and chance.random() < 0.4:
            self._bracket(program, chance)
        else:
            sql = statement(chance, program.dialect)
            was_open = program.is_open
            done = program.write(sql, chance)
            self._note(program, f"{'writes' if done else 'is refused'}: {sql}")
            if done and not was_open:
                self.truncations += sql.startswith("TRUNCATE")

    def _bracket(self, program: Program, chance: random.Random) -> None:
        """Set or use a savepoint, or end the transaction."""
        choices = ["savepoint", "COMMIT", "COMMIT", "ROLLBACK"]
        if program.savepoints:
            choices += ["back", "back", "release"]
        if program.dialect == "postgresql" and not program.prepared:
            choices.append("prepare")
        what = chance.choice(choices)
        self._note(program, what)
        if what == "savepoint":
            program.savepoint()
        elif what == "back":
            program.back_to_savepoint()
        elif what == "release":
            program.release()
        elif what == "prepare":
            program.prepare()
        elif program.end(what):
            self.truncations += program.truncates

    def _end_prepared(self, program: Program, chance: random.Random) -> None:
        how = chance.choice(["COMMIT", "COMMIT", "ROLLBACK"])
        self._note(program, f"{how} what was prepared")
        self.truncations += program.end_prepared(how)

    def _pull_somehow(self, device: FeedDevice, chance: random.Random) -> None:
        if device.began is not None:
            self._finish(device, "late")
        elif chance.random() < 0.3:
            self.script.append(f"{device.user.name} ({device.max_keys}) takes a snapshot")
            device.begin(self.truncations)
        else:
            self._pull(device)

    def _pull(self, device: FeedDevice) -> None:
        device.begin(self.truncations)
        self._finish(device, "at once")

    def _finish(self, device: FeedDevice, when: str) -> None:
        self.script.append(f"{device.user.name} ({device.max_keys}) pulls {when}")
        self.told[f"pulled {when}" if device.finish(self.truncations) else "held up"] += 1

    def _end(self, chance: random.Random) -> None:
        """End all transactions in any order; after one more pull every device equals its scope."""
        for program in chance.sample(self.programs, PROGRAMS):
            if program.is_open and program.end(chance.choice(["COMMIT", "ROLLBACK"])):
                self.truncations += program.truncates
            if program.prepared:
                self._end_prepared(program, chance)
        for device in self.devices:
            if device.began is not None:
                self._finish(device, "late")
            self._pull(device)

    def _stop(self) -> None:
        """Leave nothing open, also where the story was cut short."""
        for program in self.programs:
            if program.is_open:
                program.end("ROLLBACK")
            if program.prepared:
                program.end_prepared("ROLLBACK")
        for device in self.devices:
            if device.began is not None:
                device.began[0].__exit__(None, None, None)
                device.began = None

    def _note(self, program: Program, what: str) -> None:
        self.script.append(f"{program.name} {what}")
        self.told[what.partition(":")[0]] += 1
