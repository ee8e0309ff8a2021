// Hocuspocus with its SQLite extension: node hocuspocus-server.mjs PORT FOLDER [NORMAL|FULL].
//
// As it comes it keeps documents in memory and writes them two to ten seconds after a change. With a third argument every
// update is first written to a journal, in the hook that is awaited before it is applied and answered, with SQLite's
// `synchronous` set to it. That journal is ours: Hocuspocus documents the hook, and brings none.
import { SQLite } from '@hocuspocus/extension-sqlite';
import { Server } from '@hocuspocus/server';
import Database from 'better-sqlite3';
import * as Y from 'yjs';

const [port, folder, synchronous] = process.argv.slice(2);

function journal() {
  const database = new Database(`${folder}/journal.db`);
  database.pragma('journal_mode = WAL');
  database.pragma(`synchronous = ${synchronous}`);
  database.exec('CREATE TABLE IF NOT EXISTS entry (n INTEGER PRIMARY KEY, name TEXT, body BLOB)');
  database.exec('CREATE INDEX IF NOT EXISTS entry_name ON entry (name)');
  const append = database.prepare('INSERT INTO entry (name, body) VALUES (?, ?)');
  const all = database.prepare('SELECT body FROM entry WHERE name = ? ORDER BY n');
  return {
    async beforeSync({ documentName, type, payload }) {
      // 1 and 2 carry changes, 0 asks for them.
      if (type > 0 && payload.length > 2) append.run(documentName, Buffer.from(payload));
    },
    async onLoadDocument({ documentName, document }) {
      for (const { body } of all.all(documentName)) Y.applyUpdate(document, body);
      return document;
    },
  };
}

const server = new Server({
  port: Number(port),
  address: '127.0.0.1',
  quiet: true,
  extensions: [synchronous ? journal() : new SQLite({ database: `${folder}/documents.db` })],
});
await server.listen();
