-- The sample database of the demo and of the tests: a small company. The same rows on every run.
-- Roles are made before this file runs; their passwords are new on every run and stand nowhere in it.

CREATE TABLE public.department (
    department_no char(4) PRIMARY KEY,
    name          text NOT NULL UNIQUE
);

CREATE TABLE public.employee (
    employee_no integer PRIMARY KEY,
    first_name  text NOT NULL,
    last_name   text NOT NULL,
    birth_date  date NOT NULL,
    hired_on    date NOT NULL,
    email       text NOT NULL UNIQUE
);

CREATE TABLE public.department_employee (
    employee_no   integer NOT NULL REFERENCES public.employee ON DELETE CASCADE,
    department_no char(4) NOT NULL REFERENCES public.department,
    from_date     date NOT NULL,
    to_date       date,
    PRIMARY KEY (employee_no, department_no)
);

CREATE TABLE public.title (
    employee_no integer NOT NULL REFERENCES public.employee ON DELETE CASCADE,
    title       text NOT NULL,
    from_date   date NOT NULL,
    to_date     date,
    PRIMARY KEY (employee_no, title, from_date)
);

CREATE TABLE public.salary (
    employee_no integer NOT NULL REFERENCES public.employee ON DELETE CASCADE,
    amount      integer NOT NULL CHECK (amount > 0),
    from_date   date NOT NULL,
    to_date     date,
    PRIMARY KEY (employee_no, from_date)
);

INSERT INTO public.department VALUES
    ('d001', 'Marketing'), ('d002', 'Finance'), ('d003', 'People'), ('d004', 'Production'),
    ('d005', 'Development'), ('d006', 'Quality'), ('d007', 'Sales'), ('d008', 'Research'), ('d009', 'Support');

INSERT INTO public.employee
SELECT n,
       (ARRAY['Ada','Björk','Chidi','Dana','Edgar','Fatima','Grace','Hiro','Ines','Jonas','Kavya','Linus','Mai',
              'Noor','Otto','Priya','Quentin','Rosa','Sven','Tala','Uma','Viktor','Wen','Ximena','Yusuf','Zoë'])
           [1 + (n * 7) % 26],
       (ARRAY['Abe','Brandt','Castillo','Diallo','Eriksen','Fischer','García','Haddad','Ito','Jensen','Kim','López',
              'Müller','Nguyen','O''Neill','Patel','Rossi','Schmidt','Tanaka','Usman','Vogel','Wang','Yıldız'])
           [1 + (n * 11) % 23],
       date '1960-01-01' + (n * 37) % 14000,
       date '2005-01-01' + (n * 53) % 7000,
       'employee' || n || '@example.com'
FROM generate_series(1, 3000) AS n;

INSERT INTO public.department_employee
SELECT employee_no, 'd00' || 1 + employee_no % 9, hired_on, NULL FROM public.employee;

INSERT INTO public.title
SELECT employee_no,
       (ARRAY['Engineer','Senior Engineer','Analyst','Manager','Assistant','Accountant'])[1 + employee_no % 6],
       hired_on, NULL
FROM public.employee;

INSERT INTO public.salary
SELECT employee_no, 38000 + (employee_no * 131) % 52000 + year * 1700, hired_on + year * 365,
       CASE WHEN year < 2 THEN hired_on + (year + 1) * 365 END
FROM public.employee, generate_series(0, 2) AS year;

CREATE VIEW public.current_salary AS
SELECT e.employee_no, e.first_name, e.last_name, s.amount
FROM public.employee AS e JOIN public.salary AS s USING (employee_no)
WHERE s.to_date IS NULL;

CREATE FUNCTION public.hr_full_name(first_name text, last_name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN first_name || ' ' || last_name;

CREATE SEQUENCE public.ticket_no;

-- What each shared account may do. These rights are the last wall behind the gateway: no more than its lane needs.
-- read: reads. write: rows and definitions, so it owns the relations. admin: what is beyond relations.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON DATABASE hr_prod FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE hr_prod TO tidegate_read, tidegate_write, tidegate_admin;
GRANT CREATE ON DATABASE hr_prod TO tidegate_write, tidegate_admin;
GRANT USAGE ON SCHEMA public TO tidegate_read;
GRANT USAGE, CREATE ON SCHEMA public TO tidegate_write, tidegate_admin;
GRANT tidegate_write, pg_monitor, pg_signal_backend TO tidegate_admin;
DO $$
DECLARE relation record;
BEGIN
    FOR relation IN
        SELECT oid::regclass AS name,
               CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO tidegate_write', relation.kind, relation.name);
    END LOOP;
END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO tidegate_read;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO tidegate_read;
-- What migrations will make is read on the read lane, too: tables, sequences (pg_dump reads them), schemas.
ALTER DEFAULT PRIVILEGES FOR ROLE tidegate_write, tidegate_admin GRANT SELECT ON TABLES TO tidegate_read;
ALTER DEFAULT PRIVILEGES FOR ROLE tidegate_write, tidegate_admin GRANT SELECT ON SEQUENCES TO tidegate_read;
ALTER DEFAULT PRIVILEGES FOR ROLE tidegate_write, tidegate_admin GRANT USAGE ON SCHEMAS TO tidegate_read;
-- Whoever holds admin writes on that account; rows of what it makes are for the other one, too.
ALTER DEFAULT PRIVILEGES FOR ROLE tidegate_admin GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tidegate_write;
ALTER DEFAULT PRIVILEGES FOR ROLE tidegate_admin GRANT USAGE, SELECT ON SEQUENCES TO tidegate_write;
ANALYZE;
