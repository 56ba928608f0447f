"""What may happen on a device, in words that a failure prints as a script."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from convergence import acts
from convergence.machine import Machine, device, which
from fieldpost.odp.form.rows import Row


class OnDevices(Machine):
    """Rules of devices without a signal."""

    @rule(device=device, badge=st.sampled_from(["", "A", "B"]), items=st.integers(0, 2))
    def adds_errand(self, device: str, badge: str, items: int) -> None:
        """Save a new errand with items, at the known place, after the first errand there is."""
        worker, mark = self.worker(device), self.word("m")

        def fill(row: Row) -> None:
            row.texts |= {"mark": mark, "title": self.word(), "badge": badge, "place": "P1"}
            first = acts.open_form(worker.home, "errand", 0)
            row.texts["after"] = str(first["key"][0]) if first and items else ""
            for _ in range(items):
                acts.add_item(row, self.word(f"{mark}.i"), self.word())

        worker.save(lambda: acts.add_record(worker.home, worker.user, "errand", fill))

    @rule(device=device, which=which, what=st.sampled_from(["title", "note", "badge", "closed"]))
    def edits(self, device: str, which: int, what: str) -> None:
        """Change one field of an errand."""
        worker = self.worker(device)
        self.edit(worker, acts.open_form(worker.home, "errand", which), what)

    @rule(device=device, which=st.sampled_from([-1, 0]), times=st.integers(2, 4))
    def edits_again_and_again(self, device: str, which: int, times: int) -> None:
        """Change the newest or the oldest errand several times, each time on what is there."""
        worker = self.worker(device)
        for number in range(times):
            opened = acts.open_form(worker.home, "errand", which)
            self.edit(worker, opened, ("note", "title", "stops")[number % 3])

    @rule(device=device, which=which, place=st.integers(0, 3))
    def ticks_a_stop(self, device: str, which: int, place: int) -> None:
        """Add a place, which may be new here itself, to an errand's stops, or take it away."""
        worker = self.worker(device)
        opened = acts.open_form(worker.home, "errand", which)
        codes = acts.codes(worker.home)
        if opened is not None:
            code = codes[place % len(codes)]
            worker.save(
                lambda: acts.save_form(
                    worker.home, worker.user, "errand", opened, lambda row: acts.tick(row, code)
                )
            )

    @rule(device=device, which=which, does=st.sampled_from(["add", "edit", "delete"]))
    def edits_items(self, device: str, which: int, does: str) -> None:
        """Add an item to an errand; change or delete its first."""
        worker = self.worker(device)
        opened = acts.open_form(worker.home, "errand", which)
        if opened is None:
            return

        def change(row: Row) -> None:
            if does == "add" or not row.lists["items"]:
                acts.add_item(row, self.word(f"{opened['values']['mark']}.i"), self.word())
            elif does == "edit":
                row.lists["items"][0].texts["name"] = self.word()
            else:
                row.lists["items"][0].deleted = True

        worker.save(lambda: acts.save_form(worker.home, worker.user, "errand", opened, change))

    @rule(device=device, model=st.sampled_from(["errand", "memo"]), which=which)
    def deletes(self, device: str, model: str, which: int) -> None:
        """Delete a record."""
        worker = self.worker(device)
        opened = acts.open_form(worker.home, model, which)
        if opened is not None:
            worker.save(lambda: acts.delete_record(worker.home, worker.user, model, opened))

    @rule(device=device, which=which)
    def adds_memo(self, device: str, which: int) -> None:
        """Write a memo on an errand, which may be new here itself."""
        worker = self.worker(device)
        about = acts.open_form(worker.home, "errand", which)
        texts = {"mark": self.word("m"), "text": self.word()}
        texts["errand"] = str(about["key"][0]) if about else ""
        worker.save(
            lambda: acts.add_record(
                worker.home, worker.user, "memo", lambda row: row.texts.update(texts)
            )
        )

    @rule(device=device, code=st.sampled_from(["P2", "P3"]))
    def adds_place(self, device: str, code: str) -> None:
        """Add a place under a code that others may choose as well."""
        worker, texts = self.worker(device), {"mark": self.word("m"), "name": self.word()}
        texts["code"] = code
        worker.save(
            lambda: acts.add_record(
                worker.home, worker.user, "place", lambda row: row.texts.update(texts)
            )
        )

    @rule(device=device, which=which)
    def opens_a_form(self, device: str, which: int) -> None:
        """Open an errand and put the device into the pocket."""
        self.left_open[device] = acts.open_form(self.worker(device).home, "errand", which)

    @rule(device=device, what=st.sampled_from(["title", "note"]))
    def saves_the_form_left_open(self, device: str, what: str) -> None:
        """Save it, whatever has happened since."""
        self.edit(self.worker(device), self.left_open.pop(device, None), what)

    @rule(device=device, moment=st.sampled_from(["before", "after", "full"]))
    def saves_with_a_failing_store(self, device: str, moment: str) -> None:
        """The power is cut before or after the write of a save, or the store is full."""
        worker = self.worker(device)
        store = worker.road.store
        if moment == "full":
            store.fail = {store.writes + 1: "QuotaExceededError"}
        else:
            store.crash = {store.writes + 1: moment}
        self.edit(worker, acts.open_form(worker.home, "errand", 0), "note")
        worker.heal()

    @rule(device=device)
    def restarts(self, device: str) -> None:
        """Begin anew from the store."""
        self.worker(device).restart()
