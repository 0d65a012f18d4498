-- Which policy each gateway that shares the store has in force: the digest of its files.
ALTER TABLE gateways ADD COLUMN policy TEXT NOT NULL DEFAULT '';
