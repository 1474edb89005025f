"""One module per file format. A reader checks the sizes in a header against the file before it allocates memory."""
