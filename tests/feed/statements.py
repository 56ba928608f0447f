"""Plain SQL of other programs on the clinic's tables: small keys, so that they meet often."""

import random
from collections.abc import Callable, Iterator

from apps.fakes import ADA, BERTS, ERIC

PATIENTS = tuple(key.hex for key in (ADA, ERIC, BERTS))
NEW_PATIENT = "0" * 30 + "77"
NURSES = ("anna", "bert", "zoe")
WARDS = ("A 1/2", "B", "C", "D %s")
_COLUMNS = "visit (id, patient_id, visited_on, kind, urgent, nurse)"


def base_rows() -> Iterator[str]:
    """Yield what puts the tables into the state with which each story begins."""
    for table in ("reading", "dose", '"visit & ward"', '"order"', "visit", "patient", "ward"):
        yield f"DELETE FROM {table}"
    yield "INSERT INTO ward (code, name) VALUES ('A 1/2', 'Heart'), ('B', 'Bones'), ('C', 'Ears')"
    for number, key in enumerate(PATIENTS):
        yield (
            "INSERT INTO patient (id, name, number, insured, carer) "
            f"VALUES ('{key}', 'Patient', '{number}', false, '{NURSES[number]}')"
        )
    for number in range(1, 5):
        yield f"INSERT INTO {_COLUMNS} VALUES {_visit(number, NURSES[number % 2])}"
        yield f'INSERT INTO "order" (id, visit_id, "group") VALUES ({number}, {number}, \'x\')'
        yield f"INSERT INTO dose (order_id, number, amount) VALUES ({number}, 1, 1)"
        yield (
            "INSERT INTO reading (id, order_id, dose_number, value) "
            f"VALUES ('{_reading(number)}', {number}, 1, 1)"
        )
        yield f"INSERT INTO \"visit & ward\" VALUES ({number}, 'B')"


def _visit(number: int, nurse: str) -> str:
    patient = PATIENTS[number % len(PATIENTS)]
    return f"({number}, '{patient}', '2026-11-23', 'first', false, '{nurse}')"


def _reading(number: int) -> str:
    return f"{number:032x}"


def statement(chance: random.Random, dialect: str) -> str:
    """Return any statement of any program."""
    groups = [_visits, _visits, _orders, _doses, _readings, _patients, _wards, _links]
    groups.append(_postgresql if dialect == "postgresql" else _sqlite)
    return chance.choice(chance.choice(groups)(chance))


Group = Callable[[random.Random], list[str]]


def _visits(chance: random.Random) -> list[str]:
    one, other, nurse = chance.randint(1, 8), chance.randint(1, 8), chance.choice(NURSES)
    insert = f"INSERT INTO {_COLUMNS} VALUES {_visit(one, nurse)}"
    return [
        insert,
        f"{insert}, {_visit(one + 8, nurse)} ON CONFLICT DO NOTHING",
        f"{insert} ON CONFLICT (id) DO UPDATE SET nurse = excluded.nurse",
        f"UPDATE visit SET nurse = '{nurse}' WHERE id = {one}",
        f"UPDATE visit SET nurse = '{nurse}', score = {one * 5}",
        f"UPDATE visit SET id = {other} WHERE id = {one}",
        f"UPDATE visit SET id = id + 20 WHERE id > {other + 8}",
        f"DELETE FROM visit WHERE id = {one}",
        "DELETE FROM visit WHERE id > 20",
        f"UPDATE visit SET score = 5 WHERE id = {one} AND 1 / (id - id) = 1",
    ]


def _orders(chance: random.Random) -> list[str]:
    one, other = chance.randint(1, 8), chance.randint(1, 8)
    return [
        f'INSERT INTO "order" (id, visit_id, "group") VALUES ({one}, {other}, \'new\')',
        (
            'INSERT INTO "order" (id, visit_id, "group") '
            f"SELECT id + {one + 10}, id, 'many' FROM visit WHERE id < 9 ON CONFLICT DO NOTHING"
        ),
        f'UPDATE "order" SET visit_id = {other} WHERE id = {one}',
        f'UPDATE "order" SET visit_id = {other}',
        f'UPDATE "order" SET id = {other + 30} WHERE id = {one}',
        f'DELETE FROM "order" WHERE id = {one}',
        'DELETE FROM "order" WHERE id > 10',
    ]


def _doses(chance: random.Random) -> list[str]:
    order, number = chance.randint(1, 8), chance.randint(1, 3)
    return [
        f"INSERT INTO dose (order_id, number, amount) VALUES ({order}, {number}, 2.50)",
        (
            f"INSERT INTO dose (order_id, number, amount) VALUES ({order}, {number}, 3) "
            "ON CONFLICT (order_id, number) DO UPDATE SET amount = 7"
        ),
        f"UPDATE dose SET number = {number} WHERE order_id = {order}",
        f"UPDATE dose SET order_id = {order}, number = number + 3",
        f"DELETE FROM dose WHERE order_id = {order}",
    ]


def _readings(chance: random.Random) -> list[str]:
    one, other, order = (chance.randint(1, 8) for _ in range(3))
    return [
        (
            "INSERT INTO reading (id, order_id, dose_number, value) "
            f"VALUES ('{_reading(one)}', {order}, 1, {other})"
        ),
        f"UPDATE reading SET order_id = {order}, dose_number = {other % 3 + 1}",
        f"UPDATE reading SET id = '{_reading(other)}' WHERE id = '{_reading(one)}'",
        "DELETE FROM reading",
    ]


def _patients(chance: random.Random) -> list[str]:
    key, nurse = chance.choice(PATIENTS), chance.choice(NURSES)
    return [
        f"UPDATE patient SET carer = '{nurse}' WHERE id = '{key}'",
        f"UPDATE patient SET carer = '{nurse}', secret = 'new'",
        f"UPDATE patient SET ward_code = '{chance.choice(WARDS)}' WHERE id = '{key}'",
        (
            "INSERT INTO patient (id, name, number, insured, carer) "
            f"VALUES ('{NEW_PATIENT}', 'New', '{chance.randint(0, 9)}', true, '{nurse}')"
        ),
        f"DELETE FROM patient WHERE id = '{NEW_PATIENT}'",
        f"UPDATE patient SET id = '{NEW_PATIENT}' WHERE id = '{key}'",
    ]


def _wards(chance: random.Random) -> list[str]:
    one, other = chance.choice(WARDS), chance.choice(WARDS)
    return [
        (
            f"INSERT INTO ward (code, name) VALUES ('{one}', 'Words') "
            "ON CONFLICT (code) DO UPDATE SET name = 'Other words'"
        ),
        f"UPDATE ward SET code = '{one}' WHERE code = '{other}'",
        f"DELETE FROM ward WHERE code = '{one}'",
    ]


def _links(chance: random.Random) -> list[str]:
    visit, code = chance.randint(1, 8), chance.choice(WARDS)
    return [
        f"INSERT INTO \"visit & ward\" VALUES ({visit}, '{code}')",
        f'UPDATE "visit & ward" SET "ward code" = \'{code}\' WHERE visit = {visit}',
        f'DELETE FROM "visit & ward" WHERE visit = {visit}',
    ]


def _postgresql(chance: random.Random) -> list[str]:
    one, other = chance.randint(1, 8), chance.randint(1, 8)
    return [
        "TRUNCATE reading",
        'TRUNCATE "visit & ward", reading',
        "TRUNCATE dose CASCADE",
        # as replication applies rows: foreign keys are not looked at
        "SET LOCAL session_replication_role = replica",
        f'COPY "order" (id, visit_id, "group") FROM STDIN\n{one + 50}\t{other}\tcopied\n',
        f'COPY "visit & ward" FROM STDIN\n{one}\t{chance.choice(WARDS)}\n{other}\tB\n',
        (
            f"MERGE INTO ward USING (VALUES ('C'), ('D %s')) AS s (code) ON ward.code = s.code "
            f"WHEN MATCHED AND {one} > 4 THEN DELETE WHEN MATCHED THEN UPDATE SET name = '{other}' "
            "WHEN NOT MATCHED THEN INSERT (code, name) VALUES (s.code, 'Merged')"
        ),
        (
            f'WITH gone AS (DELETE FROM "order" WHERE id = {one} RETURNING visit_id) '
            f"UPDATE visit SET score = {other * 5} WHERE id IN (SELECT visit_id FROM gone)"
        ),
        (
            "DO $$ BEGIN UPDATE ward SET name = 'Lost'; RAISE division_by_zero; "
            f"EXCEPTION WHEN division_by_zero THEN DELETE FROM dose WHERE order_id = {one}; END $$"
        ),
    ]


def _sqlite(chance: random.Random) -> list[str]:
    one, other = chance.randint(1, 8), chance.randint(1, 8)
    return [
        f"INSERT OR REPLACE INTO {_COLUMNS} VALUES {_visit(one, 'anna')}",
        f"UPDATE OR REPLACE visit SET id = {other} WHERE id = {one}",
        (
            "INSERT OR REPLACE INTO patient (id, name, number, insured, carer) "
            f"VALUES ('{NEW_PATIENT}', 'In the way', '{one % 4}', true, 'anna')"
        ),
        f"UPDATE OR REPLACE patient SET number = '{one % 4}' WHERE carer = 'bert'",
        f"UPDATE OR REPLACE dose SET number = 1 WHERE order_id = {one}",
        f"REPLACE INTO \"visit & ward\" VALUES ({one}, 'B'), ({other}, 'C')",
        f"INSERT OR ROLLBACK INTO ward (code, name) VALUES ('B', '{one}')",
    ]
