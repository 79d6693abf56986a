"""The accounts of the demo: made by ``load_demo``, shown by ``serve``."""

PASSWORD = "demo-turnos-2026"  # noqa: S105 - printed on purpose
ACCOUNTS = {
    "paciente@demo.test": "patient",
    "medica@demo.test": "practitioner",
    "recepcion@demo.test": "reception",
    "admin@demo.test": "administrator",
}
