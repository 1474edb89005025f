"""One file per file format. A reader gives what the file says or refuses it, and never allocates on a header's word."""
