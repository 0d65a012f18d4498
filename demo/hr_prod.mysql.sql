-- The sample database of the demo and of the tests, for MySQL and MariaDB: the same rows as in hr_prod.sql.
-- Accounts and their rights are in accounts.mysql.sql.

SET NAMES utf8mb4;
CREATE DATABASE hr_prod CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE hr_prod;

CREATE TABLE department (
    department_no char(4) PRIMARY KEY,
    name          varchar(60) NOT NULL UNIQUE
);

CREATE TABLE employee (
    employee_no integer PRIMARY KEY,
    first_name  varchar(60) NOT NULL,
    last_name   varchar(60) NOT NULL,
    birth_date  date NOT NULL,
    hired_on    date NOT NULL,
    email       varchar(120) NOT NULL UNIQUE
);

CREATE TABLE department_employee (
    employee_no   integer NOT NULL,
    department_no char(4) NOT NULL,
    from_date     date NOT NULL,
    to_date       date,
    PRIMARY KEY (employee_no, department_no),
    FOREIGN KEY (employee_no) REFERENCES employee (employee_no) ON DELETE CASCADE,
    FOREIGN KEY (department_no) REFERENCES department (department_no)
);

CREATE TABLE title (
    employee_no integer NOT NULL,
    title       varchar(60) NOT NULL,
    from_date   date NOT NULL,
    to_date     date,
    PRIMARY KEY (employee_no, title, from_date),
    FOREIGN KEY (employee_no) REFERENCES employee (employee_no) ON DELETE CASCADE
);

CREATE TABLE salary (
    employee_no integer NOT NULL,
    amount      integer NOT NULL CHECK (amount > 0),
    from_date   date NOT NULL,
    to_date     date,
    PRIMARY KEY (employee_no, from_date),
    FOREIGN KEY (employee_no) REFERENCES employee (employee_no) ON DELETE CASCADE
);

INSERT INTO department VALUES
    ('d001', 'Marketing'), ('d002', 'Finance'), ('d003', 'People'), ('d004', 'Production'),
    ('d005', 'Development'), ('d006', 'Quality'), ('d007', 'Sales'), ('d008', 'Research'), ('d009', 'Support');

CREATE TABLE digit (d integer NOT NULL);
INSERT INTO digit VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
CREATE TABLE number (n integer PRIMARY KEY);
INSERT INTO number
SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d FROM digit a, digit b, digit c, digit e WHERE e.d < 3;

INSERT INTO employee
SELECT n,
       ELT(1 + (n * 7) % 26, 'Ada', 'Björk', 'Chidi', 'Dana', 'Edgar', 'Fatima', 'Grace', 'Hiro', 'Ines', 'Jonas', 'Kavya',
           'Linus', 'Mai', 'Noor', 'Otto', 'Priya', 'Quentin', 'Rosa', 'Sven', 'Tala', 'Uma', 'Viktor', 'Wen', 'Ximena',
           'Yusuf', 'Zoë'),
       ELT(1 + (n * 11) % 23, 'Abe', 'Brandt', 'Castillo', 'Diallo', 'Eriksen', 'Fischer', 'García', 'Haddad', 'Ito',
           'Jensen', 'Kim', 'López', 'Müller', 'Nguyen', 'O''Neill', 'Patel', 'Rossi', 'Schmidt', 'Tanaka', 'Usman',
           'Vogel', 'Wang', 'Yıldız'),
       DATE_ADD(DATE '1960-01-01', INTERVAL (n * 37) % 14000 DAY),
       DATE_ADD(DATE '2005-01-01', INTERVAL (n * 53) % 7000 DAY),
       CONCAT('employee', n, '@example.com')
FROM number;

INSERT INTO department_employee
SELECT employee_no, CONCAT('d00', 1 + employee_no % 9), hired_on, NULL FROM employee;

INSERT INTO title
SELECT employee_no,
       ELT(1 + employee_no % 6, 'Engineer', 'Senior Engineer', 'Analyst', 'Manager', 'Assistant', 'Accountant'),
       hired_on, NULL
FROM employee;

INSERT INTO salary
SELECT employee_no, 38000 + (employee_no * 131) % 52000 + d * 1700, DATE_ADD(hired_on, INTERVAL d * 365 DAY),
       CASE WHEN d < 2 THEN DATE_ADD(hired_on, INTERVAL (d + 1) * 365 DAY) END
FROM employee, digit WHERE d < 3;

DROP TABLE digit, number;

-- Whoever reads it reads with rights of their own, not with those of whoever made it.
CREATE SQL SECURITY INVOKER VIEW current_salary AS
SELECT e.employee_no, e.first_name, e.last_name, s.amount
FROM employee AS e JOIN salary AS s USING (employee_no)
WHERE s.to_date IS NULL;

CREATE FUNCTION hr_full_name(first_name varchar(60), last_name varchar(60)) RETURNS varchar(121)
    DETERMINISTIC NO SQL SQL SECURITY INVOKER
    RETURN CONCAT(first_name, ' ', last_name);

-- MySQL has no sequences; to it, this is a comment.
/*M! CREATE SEQUENCE ticket_no */;

ANALYZE TABLE department, employee, department_employee, title, salary;
