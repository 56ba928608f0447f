"""Everything that may happen: one class for each place where it does."""

from convergence.on_devices import OnDevices
from convergence.on_the_road import OnTheRoad
from convergence.on_troubles import OnTroubles


class Story(OnDevices, OnTheRoad, OnTroubles):
    """One story of several devices, somebody online and another program."""
