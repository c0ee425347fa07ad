"""One module a figure; `paper_figs.frame.figure` says what such a module holds."""
