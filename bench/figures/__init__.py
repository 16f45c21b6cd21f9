"""The tables of the documents: one module a subject, with the names of the JSON files that it shows."""
