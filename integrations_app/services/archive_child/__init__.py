"""Reads one hostile zip, in a process of its own; `services/archive_reader.py` starts it. Standard library only.

Nothing here opens a file: the archive's bytes come in over standard input, as many as are asked for, and what is found
goes out over standard output, in frames of `kind (1 byte) | length (4 bytes) | payload`:

- `R` asks for bytes: offset (8 bytes) and length (4); exactly those come back,
- `E` is an entry as JSON, `C` the content of the entry before it,
- `D` is the end, as JSON, `X` a refusal with its reason, as JSON.

Everything the archive says is checked before any of its data is touched: its directory, then each entry's own header,
then that entries stand side by side without a byte between, over or beside them. Two unzippers that read such an
archive cannot disagree about what is in it. Only then is each entry's data inflated, counted and checksummed.

Source: APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT; overlapping entries:
https://www.bamsoftware.com/hacks/zipbomb/
"""
