// Clients of Zero: its own, with its cache in memory. An edit counts as acknowledged when the server has told that the
// client's mutation is in what PostgreSQL replicates, which is the only thing that it tells of the built-in mutators.
import { execFileSync } from 'node:child_process';

import { WebSocket } from 'ws';

// Node has no such global before version 22; the library looks for the browser's.
const sockets = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { perMessageDeflate: false });
    this.on('error', () => {});
    const asked = new URL(url).searchParams.get('clientID');
    this.on('message', (data) => told.get(asked)?.(data));
    sockets.push([asked, this]);
  }
};
const told = new Map();
const { Zero } = await import('@rocicorp/zero');
const { schema } = await import('./zero-schema.mjs');
let names = 0;

class Client {
  constructor(port, own) {
    this.zero = new Zero({
      server: `http://127.0.0.1:${port}`, userID: `u${names++}`, schema, kvStore: 'mem', logLevel: 'error',
    });
    this.sent = 0;
    this.confirmed = 0;
    this.waiting = [];
    told.set(this.zero.clientID, (data) => this.came(data));
    const query = own === undefined ? this.zero.query.record : this.zero.query.record.where('id', own);
    this.view = query.materialize();
    this.complete = new Promise((resolve) => {
      this.view.addListener((rows, state) => {
        this.rows = rows;
        if (state === 'complete') resolve();
      });
    });
  }

  get socket() {
    return sockets.find(([id]) => id === this.zero.clientID)?.[1]._socket;
  }

  get bytesIn() {
    return this.socket?.bytesRead ?? 0;
  }

  get bytesOut() {
    return this.socket?.bytesWritten ?? 0;
  }

  came(data) {
    this.heard?.(data);
    if (!data.includes('lastMutationIDChanges')) return;
    const changes = JSON.parse(data)[1].lastMutationIDChanges ?? {};
    this.confirmed = Math.max(this.confirmed, changes[this.zero.clientID] ?? 0);
    while (this.waiting.length > 0 && this.waiting[0].n <= this.confirmed) this.waiting.shift().resolve();
  }

  write(key, value) {
    const n = ++this.sent;
    const answered = new Promise((resolve) => this.waiting.push({ n, resolve }));
    void this.zero.mutate.record.upsert({ id: key, value: String(value) });
    return answered;
  }

  async read(key) {
    return this.rows.find((row) => row.id === key)?.value;
  }

  close() {
    void this.zero.close();
  }
}

export async function join(where, name, shared) {
  const client = new Client(where.port, shared ? undefined : name);
  await client.complete;
  return client;
}

export async function listen(where, _, heard) {
  const client = await join(where, '', true);
  client.heard = heard;
  return client;
}

export async function fill(where, records, text) {
  const rows = `INSERT INTO record SELECT 'r-' || n, n || ' ${text}' FROM generate_series(1, ${records}) AS n`;
  execFileSync('psql', ['-h', '127.0.0.1', '-p', String(where.ports.other), '-U', 'postgres', '-qc', rows, 'postgres']);
  // Until the cache has them a fresh client would be told of fewer.
  for (;;) {
    const { records: held } = await fresh(where);
    if (held >= records) return;
  }
}

export async function fresh(where) {
  const client = await join(where, '', true);
  const found = { records: client.rows.length, bytes: client.bytesIn };
  client.close();
  return found;
}
