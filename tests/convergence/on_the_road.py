"""What may happen between a device and the office, in words that a failure prints as a script."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from convergence import acts
from convergence.machine import Machine, device, which
from fieldpost_client.platform.host import Fault

TROUBLES = {
    "push is lost": Fault("/sync/push", "request"),
    "answer to push is lost": Fault("/sync/push", "answer"),
    "answer to push breaks off after 1 line": Fault("/sync/push", "lines", lines=1),
    "server dies after 1 line": Fault("/sync/push", "death", lines=1),
    "pull is lost": Fault("/sync/pull", "request"),
    "answer to pull is lost": Fault("/sync/pull", "answer"),
}


class OnTheRoad(Machine):
    """Rules of syncs, good and bad."""

    @rule(device=device, disorder=st.sampled_from(["", "reversed", "doubled", "twice"]))
    def syncs(self, device: str, disorder: str) -> None:
        """Sync, with the push in order or not."""
        worker = self.worker(device)
        worker.road.disorder = disorder
        self.good(worker.synchronise())
        worker.heal()

    @rule(
        device=device,
        trouble=st.sampled_from(list(TROUBLES)),
        disorder=st.sampled_from(["", "reversed", "twice"]),
    )
    def syncs_badly(self, device: str, trouble: str, disorder: str) -> None:
        """Sync over a connection that breaks."""
        worker, fault = self.worker(device), TROUBLES[trouble]
        worker.road.disorder = disorder
        worker.road.faults = [Fault(fault.path, fault.kind, fault.lines)]
        report = worker.synchronise()
        assert report is not None
        if report["outcome"] != "offline":
            self.good(report)
        worker.heal()

    @rule(
        device=device,
        write=st.integers(1, 4),
        how=st.sampled_from(["power cut before", "power cut after", "store full"]),
    )
    def sync_dies(self, device: str, write: int, how: str) -> None:
        """The power is cut around a write of a sync, or the store refuses it."""
        worker = self.worker(device)
        store = worker.road.store
        if how == "store full":
            store.fail = {store.writes + write: "QuotaExceededError"}
        else:
            store.crash = {store.writes + write: how.rsplit(maxsplit=1)[-1]}
        worker.synchronise()
        worker.heal()

    @rule(device=device, which=which, what=st.sampled_from(["title", "note"]))
    def edits_during_a_sync(self, device: str, which: int, what: str) -> None:
        """Save between the push and the pull of a sync."""
        worker = self.worker(device)

        async def edit() -> None:
            opened = acts.open_form(worker.home, "errand", which)
            if opened is not None:
                change = self.change(what)
                await worker.save_now(
                    lambda: acts.save_form(worker.home, worker.user, "errand", opened, change)
                )

        worker.road.before_pull = edit
        self.good(worker.synchronise())
        worker.heal()

    @rule(device=device, which=which)
    def old_push_arrives_again(self, device: str, which: int) -> None:
        """The network delivers an old push, perhaps one that was thought lost."""
        road = self.worker(device).road
        if road.pushes:
            self.office.runner.run(road.deliver_again(which))
