"""One and many, for the words that an app's names are made into.

Authors call a class `Order` or, after its table, `Orders`: a button adds one, a page lists many.
"""

_ALREADY_BOTH = ("series", "species", "news", "lens")
_SINGULAR_ENDS = ("ss", "us", "is", "as")
_SILENT = ("auses", "ouses")


def singular(word: str) -> str:
    """Return the word for one: 'Orders' is 'Order', 'Address' and 'Status' stay."""
    low = word.lower()
    if not low.endswith("s") or low.endswith((*_SINGULAR_ENDS, *_ALREADY_BOTH)):
        return word
    if low.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if low.endswith(("sses", "xes", "ches", "shes", "uses")) and not low.endswith(_SILENT):
        return word[:-2]
    return word[:-1]


def plural(word: str) -> str:
    """Return the word for many."""
    low = word.lower()
    if low.endswith(_ALREADY_BOTH):
        return word
    if low.endswith("y") and low[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if low.endswith(("s", "x", "ch", "sh")) else "s")
