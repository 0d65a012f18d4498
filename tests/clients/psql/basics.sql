-- Simple queries: several in one message, empty ones, every width of result, Unicode, nulls.
SELECT 1;
SELECT 1 AS a \; SELECT 2 AS b \; SELECT 3 AS c;
;
SELECT;
SELECT NULL AS nothing, '' AS empty, 'Zoë' AS text, 1.50::numeric, '\x00ff'::bytea, true, '{1,2}'::int[];
SELECT * FROM department ORDER BY department_no;
SELECT e.first_name, d.name FROM employee e JOIN department_employee USING (employee_no)
    JOIN department d USING (department_no) WHERE employee_no < 6 ORDER BY employee_no;
WITH top AS (SELECT employee_no, amount FROM current_salary ORDER BY amount DESC, employee_no LIMIT 3)
    SELECT hr_full_name(first_name, last_name), amount FROM top JOIN employee USING (employee_no) ORDER BY 2 DESC, 1;
SELECT count(*), sum(amount) FROM salary;
SELECT title, count(*) FROM title GROUP BY title ORDER BY title;
TABLE department LIMIT 2;
VALUES (1, 'a'), (2, 'b');
SELECT generate_series(1, 5);
EXPLAIN (COSTS OFF) SELECT * FROM employee WHERE employee_no = 1;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM department;
SELECT string_agg(md5(n::text), '') = repeat('x', 3) AS long_value FROM generate_series(1, 20000) n;
SELECT length(string_agg(md5(n::text), '')) FROM generate_series(1, 20000) n;
SELECT repeat('0123456789', 20000) AS wide \gset
SELECT length(:'wide');
\gdesc
SELECT employee_no, email FROM employee WHERE employee_no = 7 \gdesc
SELECT 1 AS one, 2 AS two \gx
\bind_is_newer_than_this
SELECT :'SQLSTATE' AS sqlstate, :ROW_COUNT AS row_count;
