-- SHA-1 of SHA-1, for mysql_native_password: of every token (random, so no guessing helps), and of a password only where
-- that was asked for.
ALTER TABLE principals ADD COLUMN native_key BLOB;
ALTER TABLE tokens ADD COLUMN native_key BLOB;
