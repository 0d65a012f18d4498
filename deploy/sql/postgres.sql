-- The shared accounts of the gateway on PostgreSQL and Aurora PostgreSQL, each with what its lane needs and no more.
--
--     psql -v ON_ERROR_STOP=1 -d hr_prod -f deploy/sql/postgres.sql
--
-- Run it in the database, as the owner of its tables and able to create roles (on RDS the master user, made a member of the
-- owner), once for each schema. Running it again changes nothing. With psql's -v also:
--
--     schema=hr        the schema; public without it
--     owner=hr_owner   who owns the tables: `ddl` through the gateway needs the owner's rights, and new tables of theirs are
--                      readable at once. Without it, only rows can be changed.
--     iam=1            the accounts log in with tokens of RDS (needs RDS or Aurora; takes their passwords out of use)
--     admin=1          an account for `admin` as well. Leave it out where nobody is ever granted that.
\set QUIET on
\if :{?schema} \else
    \set schema public
\endif
\if :{?owner} \else
    \set owner ''
\endif
\if :{?iam} \else
    \set iam 0
\endif
\if :{?admin} \else
    \set admin 0
\endif

SELECT format('CREATE ROLE %I LOGIN', name) FROM (VALUES ('tidegate_read'), ('tidegate_write')) AS account(name)
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- Both: into the database, and to what the schema holds.
SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO tidegate_read, tidegate_write', current_database()) \gexec
GRANT USAGE ON SCHEMA :"schema" TO tidegate_read, tidegate_write;

-- read: reads. The gateway holds its sessions read-only, and so does the account.
ALTER ROLE tidegate_read SET default_transaction_read_only = on;
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO tidegate_read;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA :"schema" TO tidegate_read;

-- write: rows.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :"schema" TO tidegate_write;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA :"schema" TO tidegate_write;
ALTER DEFAULT PRIVILEGES IN SCHEMA :"schema" GRANT SELECT ON TABLES TO tidegate_read;
ALTER DEFAULT PRIVILEGES IN SCHEMA :"schema" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tidegate_write;
ALTER DEFAULT PRIVILEGES IN SCHEMA :"schema" GRANT USAGE, SELECT ON SEQUENCES TO tidegate_write;

-- write: definitions, by the rights of the owner; what it makes is readable for the other account at once.
SELECT format('GRANT %I TO tidegate_write', :'owner') WHERE :'owner' <> '' \gexec
SELECT format('GRANT CREATE ON SCHEMA %I TO tidegate_write', :'schema') WHERE :'owner' <> '' \gexec
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO tidegate_read', role, :'schema')
    FROM (VALUES (:'owner'), ('tidegate_write')) AS makes(role) WHERE :'owner' <> '' \gexec

\if :admin
    SELECT 'CREATE ROLE tidegate_admin LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tidegate_admin') \gexec
    GRANT tidegate_write, pg_monitor, pg_signal_backend TO tidegate_admin;
    SELECT format('GRANT CONNECT, TEMPORARY, CREATE ON DATABASE %I TO tidegate_admin', current_database()) \gexec
    -- Whoever holds admin writes on this account: the others read what it makes, and change its rows.
    ALTER DEFAULT PRIVILEGES FOR ROLE tidegate_admin IN SCHEMA :"schema" GRANT SELECT ON TABLES TO tidegate_read;
    ALTER DEFAULT PRIVILEGES FOR ROLE tidegate_admin IN SCHEMA :"schema"
        GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tidegate_write;
    ALTER DEFAULT PRIVILEGES FOR ROLE tidegate_admin IN SCHEMA :"schema" GRANT USAGE, SELECT ON SEQUENCES TO tidegate_write;
\endif

\if :iam
    GRANT rds_iam TO tidegate_read, tidegate_write;
    \if :admin
        GRANT rds_iam TO tidegate_admin;
    \endif
\endif
