"""The same models and pages, where devices seal what they keep."""

from datetime import timedelta

from fieldpost.app import App
from fieldpost.pins import Pin
from jobs.app import Base, pages

app = App("Jobs", Base, pages=pages(), pin=Pin(idle=timedelta(hours=12)))
