"""The report over a range of hours: `numbers` counts, `charts` draws, `page` writes, `task` is what luigi runs."""
