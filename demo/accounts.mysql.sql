-- The three shared accounts of the gateway on MySQL and MariaDB, and what each may do in the database hr_prod. These rights
-- are the last wall behind the gateway: no more than the lane needs. Give them passwords of your own:
--     ALTER USER tidegate_read IDENTIFIED BY '…';

-- read: reads, and says how what it reads is defined.
CREATE USER tidegate_read;
GRANT SELECT, SHOW VIEW, EXECUTE ON hr_prod.* TO tidegate_read;

-- write: rows and definitions.
CREATE USER tidegate_write;
GRANT SELECT, SHOW VIEW, EXECUTE, INSERT, UPDATE, DELETE, LOCK TABLES, CREATE TEMPORARY TABLES,
      CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW
    ON hr_prod.* TO tidegate_write;

-- admin: also code that the server keeps, databases, accounts, other people's statements.
CREATE USER tidegate_admin;
GRANT ALL PRIVILEGES ON hr_prod.* TO tidegate_admin WITH GRANT OPTION;
GRANT PROCESS, RELOAD, SHOW DATABASES, CREATE USER ON *.* TO tidegate_admin;
