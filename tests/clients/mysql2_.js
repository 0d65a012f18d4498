// mysql2 for Node.js: text protocol (query), binary protocol (execute), streams, several statements, switches of the session.
// Prints what it sees; the same on every run and, so it is meant, with and without the gateway between.
"use strict";

const fs = require("fs");
const mysql = require("mysql2/promise");

const settings = {
  host: process.env.MYSQL_HOST,
  port: Number(process.env.MYSQL_TCP_PORT),
  user: process.env.MYSQL_USER,
  password: process.env.MYSQL_PWD,
  database: "hr_prod",
  charset: "utf8mb4",
  compress: "MYSQL_COMPRESS" in process.env,
  ssl: { ca: fs.readFileSync(process.env.MYSQL_CA), verifyIdentity: false },
};
const connect = (options = {}) => mysql.createConnection({ ...settings, ...options });
const show = (...values) => console.log("  ", ...values.map((value) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}n` : v))));
const told = (error) => [error.code, error.errno, error.sqlState, error.sqlMessage];
const fails = async (promise) => {
  try {
    show("it worked", (await promise)[0]);
  } catch (error) {
    show(...told(error));
  }
};
const columns = (fields) => fields.map((field) => [field.name, field.columnType, field.columnLength, field.flags, field.characterSet]);

const scenarios = {
  async textProtocol(connection) {
    const [rows, fields] = await connection.query("SELECT employee_no, first_name, hired_on FROM employee WHERE employee_no < ? ORDER BY 1", [4]);
    show(rows, columns(fields));
    show((await connection.query("SELECT ? AS a, ? AS b, ? AS c", [1.5, "O'Neill\\ \"ö\"", null]))[0]);
    show((await connection.query({ sql: "SELECT 1, 2", rowsAsArray: true }))[0]);
  },

  async binaryProtocol(connection) {
    for (let number = 1; number < 8; number++) {
      show((await connection.execute("SELECT first_name, birth_date FROM employee WHERE employee_no = ?", [number]))[0]);
    }
    const [rows, fields] = await connection.execute(
      `SELECT -1 AS a, 18446744073709551615 AS b, 1.5e0 AS c, CAST(2.5 AS decimal(10, 3)) AS d, DATE '2026-01-02' AS e, TIME '-10:11:12.5' AS f,
        TIMESTAMP '2026-01-02 03:04:05.678' AS g, ? AS h, X'0001' AS i, NULL AS j`, ["x"]);
    show(rows, columns(fields));
    show((await connection.execute("SELECT LENGTH(?) AS l, HEX(?) AS h", ["x".repeat(2 ** 24 + 5), Buffer.from([0, 255, 39])]))[0]);
    connection.unprepare("SELECT first_name, birth_date FROM employee WHERE employee_no = ?");
    await fails(connection.execute("SELECT * FROM nowhere"));
    await fails(connection.execute("INSERT INTO department VALUES (?, ?)", ["d001", "again"]));
  },

  async preparedByHand(connection) {
    const statement = await connection.prepare("SELECT name FROM department WHERE department_no = ?");
    show((await statement.execute(["d001"]))[0], (await statement.execute(["d002"]))[0], (await statement.execute(["none"]))[0]);
    await statement.close();
  },

  async transactions(connection) {
    await connection.beginTransaction();
    const [done] = await connection.query("INSERT INTO department VALUES ('n001', 'Node')");
    show(done);
    await fails(connection.query("INSERT INTO department VALUES ('n001', 'Node')"));
    await connection.rollback();
    await connection.beginTransaction();
    await connection.execute("INSERT INTO department VALUES (?, ?)", ["n002", "Node"]);
    await connection.commit();
    show((await connection.query("DELETE FROM department WHERE department_no LIKE 'n%'"))[0]);
  },

  async severalStatements() {
    const connection = await connect({ multipleStatements: true });
    show((await connection.query("SELECT 1 AS a; SELECT 2 AS b, 3 AS c; SET @x = 4; SELECT @x AS d FROM department LIMIT 2"))[0]);
    await fails(connection.query("SELECT 1; SELECT * FROM nowhere; SELECT 3"));
    show((await connection.query("SELECT 'usable' AS a"))[0]);
    await connection.end();
  },

  async streams(connection) {
    let count = 0;
    let sum = 0;
    await new Promise((done, failed) => {
      connection.connection.query("SELECT e.employee_no, d.name FROM employee e, department d")
        .stream({ highWaterMark: 5 })
        .on("data", (row) => { count += 1; sum += row.employee_no; })
        .on("error", failed)
        .on("end", done);
    });
    show(count, sum);
  },

  async oneAfterTheOther(connection) {
    // Not awaited one by one: the client queues them itself.
    const all = await Promise.all([1, 2, 3, 4, 5].map((n) => connection.query("SELECT ? * 2 AS twice", [n])));
    show(all.map(([rows]) => rows[0].twice));
  },

  async theSession(connection) {
    await connection.ping();
    await connection.query("SET @mine = 1");
    await connection.reset();
    show((await connection.query("SELECT @mine AS mine, DATABASE() AS d"))[0]);
    await connection.changeUser({ user: settings.user, password: settings.password, database: "information_schema" });
    show((await connection.query("SELECT DATABASE() AS d"))[0]);
  },

  async routines(connection) {
    await connection.query("DROP PROCEDURE IF EXISTS node_results");
    await connection.query("CREATE PROCEDURE node_results(a int) BEGIN SELECT a; SELECT name FROM department ORDER BY 1 LIMIT 1; END");
    for (const how of ["query", "execute"]) {
      const [results] = await connection[how]("CALL node_results(?)", [5]);
      show(results);
    }
    await connection.query("DROP PROCEDURE node_results");
  },

  async datesAndNumbers() {
    const connection = await connect({ dateStrings: true, supportBigNumbers: true, bigNumberStrings: true, decimalNumbers: false });
    show((await connection.query("SELECT hired_on, CAST(9223372036854775807 AS signed) AS big, 1.10 AS d FROM employee LIMIT 1"))[0]);
    await connection.end();
  },

  async errors(connection) {
    for (const sql of ["SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM employee", "UPDATE department SET name = NULL", ""]) {
      await fails(connection.query(sql));
    }
  },
};

(async () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    console.log(`## ${name}`);
    let connection;
    try {
      connection = await connect();
      await scenario(connection);
    } catch (error) {
      show("UNEXPECTED", ...told(error), error.message);
    }
    if (connection) {
      await connection.end().catch((error) => show("UNEXPECTED at end", error.message));
    }
  }
})();
