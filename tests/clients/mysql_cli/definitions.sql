-- Tables, views, indexes, code.
DROP TABLE IF EXISTS made, made_too;
CREATE TABLE made (id int AUTO_INCREMENT PRIMARY KEY, t varchar(20) DEFAULT 'none', g int AS (LENGTH(t))) COMMENT = 'made here';
CREATE TABLE IF NOT EXISTS made (n int);
INSERT INTO made (t) VALUES ('a'), ('b'), (DEFAULT);
SELECT LAST_INSERT_ID();
INSERT INTO made SET t = 'c';
INSERT IGNORE INTO made (id, t) VALUES (1, 'again');
REPLACE INTO made (id, t) VALUES (2, 'replaced');
INSERT INTO made (id, t) VALUES (3, 'x') ON DUPLICATE KEY UPDATE t = CONCAT(t, '!');
UPDATE made SET t = UPPER(t) WHERE id < 3 ORDER BY id LIMIT 1;
SELECT * FROM made ORDER BY id;
ALTER TABLE made ADD COLUMN n int, ADD INDEX by_t (t), RENAME COLUMN n TO m;
CREATE UNIQUE INDEX by_m ON made (m);
DROP INDEX by_t ON made;
CREATE TABLE made_too LIKE made;
CREATE TABLE copied AS SELECT id, t FROM made;
INSERT INTO made_too (t) SELECT t FROM made;
RENAME TABLE copied TO copied_too;
CREATE OR REPLACE VIEW seen AS SELECT id FROM made WITH CHECK OPTION;
SELECT COUNT(*) FROM seen;
DROP VIEW seen;
UPDATE made JOIN made_too USING (t) SET made.m = made_too.id;
DELETE made FROM made JOIN made_too USING (t) WHERE made.id = 1;
DELETE FROM made ORDER BY id LIMIT 1;
TRUNCATE TABLE made_too;
ANALYZE TABLE made;
CHECK TABLE made;
DROP TABLE made, made_too, copied_too;
DROP PROCEDURE IF EXISTS results;
DELIMITER //
CREATE PROCEDURE results(IN a int, OUT b int)
BEGIN
    SELECT a;
    SELECT COUNT(*) INTO b FROM department;
END //
DELIMITER ;
CALL results(5, @b);
SELECT @b;
DROP PROCEDURE results;
CREATE TRIGGER before_it BEFORE INSERT ON department FOR EACH ROW SET NEW.name = TRIM(NEW.name);
DROP TRIGGER before_it;
CREATE TEMPORARY TABLE for_now (n int) SELECT 5 AS n;
SELECT * FROM for_now;
DROP TEMPORARY TABLE for_now;
SELECT 'last';
