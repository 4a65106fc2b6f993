"""One module a revision, in the order of `schema.REVISIONS`; each is frozen once released."""
