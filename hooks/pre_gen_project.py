"""Before a file is written: check every answer, which come as data, and report all faults."""

import json
import re
import sys
from pathlib import Path

ANSWERS = json.loads(r'''{{ cookiecutter | tojson }}''')  # fmt: skip
# A command line's answers as typed: those above have been rendered.
TYPED = json.loads(r'''{{ _cookiecutter | default({}) | tojson }}''')  # fmt: skip
REPO = ANSWERS.get("_repo_dir")  # cruft does not tell it
# Jinja's marks, and what no one file format holds: control, reordering and half characters.
UNFIT = r"[{][%#{]|[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ufffe\uffff\ud800-\udfff]"
PORT = "(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
WEB = r"https?://(\[[0-9A-Fa-f:.]+\]|\w([\w.-]*\w)?)" + PORT
OBJECT = r"(s3|gs|az)://[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?(/(?!\.{1,2}(/|$))[^/?#]+)+"
# Prefect refuses the first five; with ? or #, or . or .. alone, its client asks for another address.
NAME = r"(?!\.{1,2}$)[^/%&<>?#]{1,200}"
PATTERNS = {
    "project_name": NAME,
    "project_slug": r"(?!(?i:con|prn|aux|nul|(com|lpt)[0-9])(\.|$))(?!.*\.\.)[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?",
    "work_pool_name": "(?!(?i:prefect))" + NAME,
    "schedule": r"[!-~]+( +[!-~]+){4}",
    "timezone": "[A-Z][A-Za-z0-9_+/-]*",
    "source_url": rf'{WEB}([/?#][^\s"<>\\]*)?|file://(localhost)?/.+|{OBJECT}|(?!.*://|[A-Za-z][\w+.-]+:|[A-Za-z]:(?![\\/])).+',
    "prefect_api_url": WEB + "(/[A-Za-z0-9_.~%-]+)*/api(/[A-Za-z0-9_.~%-]+)*/?",
}
RULES = {
    "project_name": "at most 200 characters, none of / % & < > ? # (Prefect cannot take them); for example: Enterprise Data Pipeline",
    "project_slug": "a folder's name of letters a-z, digits, '-', '_' and '.', with a letter or digit at both ends and no '..', not reserved by Windows (CON, NUL, COM1), at most 100; for example: enterprise-data-pipeline",
    "work_pool_name": "at most 200 characters, none of / % & < > ? #, not beginning with 'prefect' (Prefect cannot take them); for example: local-process-pool",
    "schedule": "five cron fields: minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN-DEC, weekday 0-7 or SUN-SAT; each '*', a number, a rising range (5-7, not FRI-SUN), a step (*/15, 10-50/5) or a list of these (1,15); for example: 0 9 * * MON-FRI",
    "timezone": "an IANA timezone, spelled exactly; for example: Europe/Berlin",
    "source_url": "an http or https address without spaces, user or password (answers are written to files), an object's (s3://bucket/key, gs://bucket/key, az://container/key), a file address with the whole path, or a path (one with a ':' begins with ./); for example: https://example.com/orders.ndjson",
    "prefect_api_url": "an http or https address that ends in /api, or for Prefect Cloud in /api/accounts/<id>/workspaces/<id>, without user, password, '?' or '#'; for example: http://127.0.0.1:4200/api",
    "create_venv": "true or false; for example: true",
}
HEAD = "\nNothing was stamped. Answers to change, before cookiecutter's own trace of this stop:\n"
THERE = "\nNothing was stamped: the project is there, and only cookiecutter's -f overwrites it.\n"
LAST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
FIELDS = ((0, 59, []), (0, 23, []), (1, 31, []), (1, 12, MONTHS), (0, 7, DAYS))


def cron_values(text, low, high, names):
    """The numbers that a field means; ValueError where cron and Prefect do not read it alike."""
    # Prefect itself takes FRI-SUN, 5-5 (which it reads as "always"), 59/5 and 7/2.
    found = set()
    for part in text.upper().split(","):
        part = re.sub(r"[0-9]*[A-Z]\w*", lambda word: str(low + names.index(word[0])), part)
        part = re.sub(r"^\*(?=/|$)", f"{low}-{high}", part)
        part = part if high == 7 else re.sub("^([0-9]+)/", rf"\1-{high}/", part)
        begin, end, step = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4})(?:/(\d{1,4}))?)?", part).groups()
        first, last, step = int(begin), int(end or begin), int(step or 1)
        inside = low <= first <= last <= high and 0 < step <= high - low + 1
        if not inside or (end and first == last):
            raise ValueError
        found.update(range(first, last + 1, step))
    return found


def schedule_fault(fields):
    values = []
    for text, field in zip(fields, FIELDS):
        try:
            values.append(cron_values(text, *field))
        except (AttributeError, ValueError):  # no match; an unknown name or out of range
            return f"{text!r} is none of these"
    if all(day > LAST_DAYS[month - 1] for day in values[2] for month in values[3]):
        return "there is no such date, so no run would ever come"
    apart = "*" in fields[2] + fields[4] and "*" not in (fields[2], fields[4])
    return "cron and Prefect join a day '*/2' and a weekday differently: 1-31/2" if apart else ""


def ask(question, *about):
    """What repositories.py says, which lies beside this hook: cruft does not tell where that is."""
    if not REPO:
        return THERE if question == "unsaved" and any(Path().iterdir()) else ""
    sys.path.insert(0, str(Path(REPO, "hooks")))
    return getattr(__import__("repositories"), question)(*about, Path(REPO))


def fault(key, value, typed):
    """Where an answer breaks its rule, or nothing."""
    if key == "create_venv":
        return "" if isinstance(value, bool) else "neither of them"
    if not isinstance(value, str) or not value or value != value.strip():
        return "empty, or with a space at an end"
    if re.search(UNFIT, value + typed):
        return "with a control or unseen character, a line break, or a mark of Jinja"
    if not re.fullmatch(PATTERNS[key], value):
        return "it does not fit"
    if key == "timezone":
        from zoneinfo import available_timezones  # missing in a Python that main() refuses

        # Windows has no zone data of its own: what cannot be looked up only has to look right.
        zones = (available_timezones() or {value}) - {"Factory", "localtime", "posixrules"}
        return "" if value in zones else "no such zone"
    return schedule_fault(value.split()) if key == "schedule" else ask("clash", key, value)


def main():
    """Why nothing is to be stamped, or nothing."""
    if sys.version_info[:2] < (3, 9):  # as pre_prompt.py says it, which not every tool runs
        return "\nThis template needs cookiecutter on Python 3.9 or newer: uvx cookiecutter\n"
    defaults = json.loads(Path(REPO, "cookiecutter.json").read_text("utf-8")) if REPO else TYPED
    report = []
    for key, rule in RULES.items():
        value, typed = ANSWERS.get(key), TYPED.get(key)
        typed = "" if typed == defaults.get(key) else str(typed)
        found = fault(key, value, typed)
        if found:
            report.append(f"  {key} is {typed or value!r}: {found}.\n      It must be {rule}\n")
    return "\n".join([HEAD, *report]) if report else ask("unsaved", ".")


if __name__ == "__main__":
    sys.exit(main() or 0)  # a text goes to stderr, with exit code 1
