-- What the mysql client prints for ordinary statements.
SELECT employee_no, first_name, last_name, hired_on FROM employee ORDER BY employee_no LIMIT 5;
SELECT COUNT(*), MIN(amount), MAX(amount), AVG(amount), SUM(amount) FROM salary;
SELECT d.name, COUNT(*) FROM department d JOIN department_employee de USING (department_no) GROUP BY d.name WITH ROLLUP;
SELECT * FROM current_salary WHERE employee_no IN (1, 2, 3) ORDER BY 1;
SELECT hr_full_name(first_name, last_name) AS who FROM employee WHERE employee_no = 26;
SELECT 1 AS `a b`, 'it''s' AS "c", "x\"y" AS d, NULL, TRUE, 1.50, 1e10, X'4D7953514C', b'1010';
SELECT 'tab\there', 'null', '\\N', 'ünïcödé', '漢字', '😀';
SELECT /* a comment */ 1 /*! + 1 */ /*!99999 + 100 */ # to the end of the line
     + 1 AS three -- a name: without one it would be the text, which arrives without its comments
;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, i * i FROM n;
SELECT employee_no, amount, RANK() OVER (PARTITION BY employee_no ORDER BY amount DESC) AS place FROM salary WHERE employee_no < 3 ORDER BY 1, 3;
SELECT first_name FROM employee WHERE employee_no = 1 UNION SELECT name FROM department WHERE department_no = 'd001' ORDER BY 1;
SELECT e.employee_no FROM employee e WHERE EXISTS (SELECT 1 FROM title t WHERE t.employee_no = e.employee_no AND t.title = 'Manager') ORDER BY 1 LIMIT 3;
SELECT CASE WHEN amount > 60000 THEN 'high' ELSE 'low' END AS kind, COUNT(*) FROM salary GROUP BY kind ORDER BY kind;
SELECT GROUP_CONCAT(name ORDER BY name SEPARATOR '; ') FROM department;
VALUES ROW (1, 'one'), ROW (2, 'two');
VALUES (1, 'one'), (2, 'two');
TABLE department;
SELECT employee_no FROM employee WHERE last_name LIKE 'M\_%' OR last_name REGEXP '^Mü' ORDER BY 1 LIMIT 2;
SELECT JSON_EXTRACT('{"a": [1, 2, {"b": "c"}]}', '$.a[2].b'), JSON_OBJECT('k', 1);
SELECT DATE_ADD('2026-01-31', INTERVAL 1 MONTH), DATEDIFF('2026-03-01', '2026-02-01'), EXTRACT(YEAR FROM '2026-05-06');
SELECT employee_no FROM employee ORDER BY 1 LIMIT 2, 3;
SELECT * FROM employee WHERE employee_no = 26;
SELECT 1; SELECT 2; SELECT 3;
DO 1;
SELECT 'last';
