"""Everything that may happen: one class for each place where it does."""

from convergence.at_the_office import AtTheOffice
from convergence.on_devices import OnDevices
from convergence.on_the_road import OnTheRoad


class Story(OnDevices, OnTheRoad, AtTheOffice):
    """One story of several devices, somebody online and another program."""
