-- The shared accounts of the gateway on MySQL, MariaDB and Aurora MySQL, each with what its lane needs and no more.
--
--     sed 's/hr_prod/your_database/g' deploy/sql/mysql.sql | mysql …
--
-- Run it as an account that may create users and holds these rights with GRANT OPTION, once for each database. Running it
-- again changes nothing. Nobody can log in before the accounts have a password, or tokens:
--
--     ALTER USER tidegate_read IDENTIFIED BY '…' ACCOUNT UNLOCK;
--
-- On RDS and Aurora, for logins with tokens, make them by the following statements instead:
--
--     CREATE USER tidegate_read  IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;
--     CREATE USER tidegate_write IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;
CREATE USER IF NOT EXISTS tidegate_read REQUIRE SSL ACCOUNT LOCK;
CREATE USER IF NOT EXISTS tidegate_write REQUIRE SSL ACCOUNT LOCK;

-- read: reads, and says how what it reads is defined. EXECUTE, too, if policy lists routines.
GRANT SELECT, SHOW VIEW ON hr_prod.* TO tidegate_read;

-- write: rows …
GRANT SELECT, SHOW VIEW, INSERT, UPDATE, DELETE, LOCK TABLES, CREATE TEMPORARY TABLES ON hr_prod.* TO tidegate_write;
-- … and definitions. Leave it out where nobody is ever granted `ddl`.
GRANT CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW ON hr_prod.* TO tidegate_write;
