-- Errors keep their every field, and the session goes on.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
SELECT * FROM nowhere;
SELECT nothing FROM employee;
SELECT 1 +;
SELECT 'unterminated;
';
SELECT no_such_function(1);
INSERT INTO department VALUES ('d001', 'Twice');
INSERT INTO salary VALUES (1, -5, '2020-01-01');
INSERT INTO salary VALUES (999999, 5, '2020-01-01');
INSERT INTO employee (employee_no) VALUES (1);
SELECT '2026-02-30'::date;
SELECT 1/0;
SELECT 99999999999::integer;
SELECT 'ok' AS after_errors;
\errverbose
SELECT sqrt(-1);
\echo :SQLSTATE :LAST_ERROR_MESSAGE
