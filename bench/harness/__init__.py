"""The driver of `make bench`: standard library only, so that it stays small beside what it measures."""
