"""What a field worker does in the forms of inspections."""

from pathlib import Path

from browser.engines.person import Person
from browser.pictures import png


def photo(folder: Path) -> Path:
    """Return the file of a picture."""
    file = folder / "rail.png"
    file.write_bytes(png())
    return file


def inspect(worker: Person, remarks: str, picture: Path) -> None:
    """Fill in the form of an inspection, with a photo and a signature, and save it."""
    worker.go("/pages/inspection/new")
    worker.pick_first("Site")
    worker.pick("Inspected on", "2026-11-23")
    worker.fill("Remarks", remarks)
    worker.click("button", "Add finding")
    worker.fill("Note", "Loose rail at the top")
    worker.fill("Severity", "4")
    worker.attach("Photos", picture)
    worker.until_count(1, "picture", within=".child-row")
    worker.sign()
    worker.pick("Status", "closed")
    worker.save()


def change_the_first(worker: Person, score: str) -> int:
    """Change the score of the first inspection that the office has, and return its key."""
    worker.go("/pages/inspection")
    worker.click("link", "", "tbody tr:not(.waiting)")
    worker.click("link", "Edit")
    worker.fill("Score", score)
    worker.save()
    address: str = worker.window.run("return location.pathname")
    return int(address.rpartition("/")[2])


def repair(worker: Person, score: str) -> None:
    """Put the refused entry right, as the office's answer asks for."""
    worker.go("/sync")
    worker.click("link", "Repair", "main")
    worker.reads("Repair inspection")
    worker.fill("Score", score)
    worker.save("Repaired")
