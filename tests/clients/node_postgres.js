// node-postgres: its own implementation of the protocol in JavaScript.
'use strict';
const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');
const copy = require('pg-copy-streams');
const fs = require('fs');
const { pipeline } = require('stream/promises');
const { Readable } = require('stream');

const settings = {
  ssl: { ca: fs.readFileSync(process.env.PGSSLROOTCERT), servername: 'localhost' },
};
const show = (...values) => console.log('  ', ...values.map((v) => (typeof v === 'string' ? v : JSON.stringify(v))));

const scenarios = {
  async values(client) {
    const result = await client.query('SELECT $1::int AS a, $2::text AS b, $3::jsonb AS c, $4::bytea AS d',
      [1, 'Zoë', { x: 1 }, Buffer.from([0, 255])]);
    show(result.rows, result.fields.map((f) => [f.name, f.dataTypeID]));
  },
  async named_statements(client) {
    for (let n = 1; n < 6; n++) {
      const result = await client.query({ name: 'one', text: 'SELECT email FROM employee WHERE employee_no = $1', values: [n] });
      show(result.rows);
    }
  },
  async several_at_once(client) {
    const results = await client.query('SELECT 1 AS a; SELECT 2 AS b; INSERT INTO department SELECT * FROM department WHERE false');
    show(results.map((r) => [r.command, r.rowCount, r.rows]));
  },
  async queued_queries(client) {
    const answers = await Promise.allSettled([
      client.query('SELECT 1 AS a'), client.query('SELECT 1 / $1::int', [0]), client.query('SELECT 3 AS c')]);
    show(answers.map((a) => (a.status === 'fulfilled' ? a.value.rows : a.reason.code)));
  },
  async cursor_with_row_limit(client) {
    const cursor = client.query(new Cursor('SELECT employee_no FROM employee ORDER BY 1'));
    show((await cursor.read(3)).map((r) => r.employee_no));
    show((await cursor.read(1000)).length);
    await cursor.close();
    show((await client.query('SELECT 1 AS after')).rows);
  },
  async copy_both_ways(client) {
    await client.query('CREATE TEMPORARY TABLE c (n int, t text)');
    const lines = Array.from({ length: 4000 }, (_, n) => `${n}\ttext ${n}\n`);
    await pipeline(Readable.from(lines), client.query(copy.from('COPY c FROM STDIN')));
    let bytes = 0;
    for await (const chunk of client.query(copy.to('COPY c TO STDOUT'))) bytes += chunk.length;
    show((await client.query('SELECT count(*)::int AS n FROM c')).rows, bytes);
  },
  async errors(client) {
    for (const sql of ['SELECT * FROM nowhere', 'SELEC 1', "INSERT INTO department VALUES ('d001', 'x')"]) {
      try { await client.query(sql); } catch (e) { show(e.code, e.message, e.detail || '', e.position || '', e.constraint || ''); }
    }
    await client.query('BEGIN');
    await client.query('SELECT 1 / 0').catch((e) => show(e.code));
    await client.query('SELECT 1').catch((e) => show(e.code));
    show((await client.query('COMMIT')).command);
    show((await client.query('SELECT 1 AS usable')).rows);
  },
  async notices_and_notifications(client) {
    client.on('notice', (n) => show('notice', n.severity, n.message));
    const heard = new Promise((done) => client.on('notification', (n) => done([n.channel, n.payload])));
    await client.query('DROP TABLE IF EXISTS nowhere');
    await client.query('LISTEN news');
    await client.query("NOTIFY news, 'hello'");
    show(await heard);
  },
  async statement_timeout(client) {
    await client.query("SET statement_timeout = '200ms'");
    await client.query('SELECT pg_sleep(10)').catch((e) => show(e.code, e.message));
    show((await client.query('SELECT 1 AS usable')).rows);
  },
  async fifty_thousand_rows(client) {
    const result = await client.query('SELECT n, md5(n::text) FROM generate_series(1, 50000) n');
    show(result.rowCount, result.rows[49999]);
  },
  async pool() {
    const pool = new Pool({ ...settings, max: 5 });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => pool.query('SELECT $1::int AS n', [n])));
    show(answers.reduce((sum, a) => sum + a.rows[0].n, 0));
    await pool.end();
  },
};

(async () => {
  const wanted = process.argv.slice(2);
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (wanted.length && !wanted.includes(name)) continue;
    console.log(`## ${name}`);
    const client = new Client(settings);
    client.on('error', (e) => show('UNEXPECTED on the connection', e.message));
    try {
      await client.connect();
      await scenario(client);
    } catch (e) {
      show('UNEXPECTED', e.code || '', e.message);
    }
    await client.end().catch((e) => show('UNEXPECTED at the end', e.message));
  }
})();
