// node-postgres: runs a statement that changes something and one that reads, by name so that it prepares them, twice
// each; prints how it went.
const fs = require('fs');
const { Client } = require('pg');

async function main([changes, reads]) {
  const client = new Client({ ssl: { ca: fs.readFileSync(process.env.PGSSLROOTCERT), servername: 'localhost' } });
  await client.connect();
  const attempt = async (run) => {
    try { console.log(await run()); } catch (error) { console.log(error.code); }
  };
  for (let round = 0; round < 2; round++) {
    await attempt(async () => `changed ${(await client.query({ name: 'changes', text: changes })).rowCount}`);
  }
  for (let round = 0; round < 2; round++) {
    await attempt(async () => `read ${(await client.query({ name: 'reads', text: reads })).rows[0].count}`);
  }
  await client.end();
}

main(process.argv.slice(2));
