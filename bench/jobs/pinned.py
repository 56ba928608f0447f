"""The same models and pages, where devices seal what they keep."""

from datetime import timedelta

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.pins import Pin
from jobs.app import Base, Job, Visit

app = App(
    "Jobs",
    Base,
    pages=[
        Page(Job, offline=True, list=["name", "amount"], sort=["-amount"]),
        Page(Visit, offline=True, form=["name", "score", "lines", "signature", "remarks"]),
    ],
    pin=Pin(idle=timedelta(hours=12)),
)
