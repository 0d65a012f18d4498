-- COPY both ways, with every format and every way to fail.
CREATE TABLE copied (n integer PRIMARY KEY, t text);
COPY copied FROM STDIN;
1	one
2	zwei
3	\N
\.
\copy copied FROM PROGRAM 'seq 10 15 | sed "s/$/\tmany/"'
COPY copied (n, t) FROM STDIN (FORMAT csv, HEADER);
n,t
20,"twenty, with a comma"
21,"line
break"
\.
SELECT count(*), min(n), max(n) FROM copied;
COPY copied TO STDOUT;
COPY (SELECT n, t FROM copied WHERE n < 3 ORDER BY n) TO STDOUT (FORMAT csv, HEADER);
\copy (SELECT * FROM copied ORDER BY n DESC LIMIT 2) TO STDOUT
-- a duplicate key in the middle of the data
COPY copied FROM STDIN;
30	thirty
1	again
31	not reached
\.
SELECT count(*) FROM copied WHERE n >= 30;
-- bad data
COPY copied FROM STDIN;
abc	def
\.
COPY nowhere FROM STDIN;
SELECT 'still in step' AS state;
-- inside a transaction
BEGIN;
COPY copied FROM STDIN;
40	forty
\.
SELECT count(*) FROM copied WHERE n = 40;
ROLLBACK;
SELECT count(*) FROM copied WHERE n = 40;
BEGIN;
COPY copied FROM STDIN;
1	dup
\.
SELECT 'aborted';
ROLLBACK;
-- large, both ways
\copy (SELECT n, md5(n::text) FROM generate_series(1000, 51000) n) TO PROGRAM 'md5sum'
\copy copied FROM PROGRAM 'seq -f "%.0f	row" 1000 51000'
SELECT count(*), max(n) FROM copied;
DROP TABLE copied;
