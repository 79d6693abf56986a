"""The clinic of the demo: an invented place, with invented people, that looks like a real one."""
