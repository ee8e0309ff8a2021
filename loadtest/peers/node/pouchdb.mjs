// Clients of PouchDB server, over CouchDB's HTTP interface: edits by PUT with the revision they were made on, a continuous
// feed of changes to be told by, and for the fresh client a real PouchDB with a database on the disk.
import diagnostics from 'node:diagnostics_channel';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { Caller } from './http.mjs';

const FILLER = 'x'.repeat(250);
let made;

class Client {
  constructor(port) {
    this.caller = new Caller(port);
    this.revisions = new Map();
    this.pending = null;
    this.held = new Set();
  }

  get bytesOut() {
    return this.caller.bytesOut;
  }

  async write(key, value) {
    if (this.pending !== null) {
      this.pending.push({ _id: key, value });
      return;
    }
    const told = await this.caller.done('PUT', `/area/${key}`, { value, filler: FILLER, _rev: this.revisions.get(key) });
    this.revisions.set(key, told.rev);
  }

  async read(key) {
    return (await this.caller.ask('GET', `/area/${key}`)).body?.value;
  }

  offline() {
    this.feed?.close();
    this.pending = [];
    this.rest = '';
  }

  async online() {
    const docs = this.pending;
    this.pending = null;
    this.sending = this.caller.done('POST', '/area/_bulk_docs', { docs });
    this.feed = await feed(this.caller.port, 0, (chunk) => {
      const lines = (this.rest + chunk.toString('latin1')).split('\n');
      this.rest = lines.pop();
      for (const line of lines) if (line.includes('"id":"')) this.held.add(line.slice(line.indexOf('"id":"') + 6).split('"')[0]);
    });
  }

  settled() {
    return this.sending;
  }

  async count() {
    return this.held.size;
  }

  close() {
    this.feed?.close();
    this.caller.close();
  }
}

// What changes, as it changes, documents with it.
function feed(port, since, heard) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', reject);
    socket.on('data', heard);
    socket.write(`GET /area/_changes?feed=continuous&include_docs=true&heartbeat=30000&since=${since} HTTP/1.1\r\nHost: x\r\n\r\n`, () =>
      resolve({ get bytesIn() { return socket.bytesRead; }, close: () => socket.destroy() }));
  });
}

export async function join(where, name, shared) {
  const client = new Client(where.port);
  made ??= client.caller.ask('PUT', '/area');
  await made;
  // A client that comes again knows the revision of what it edits.
  if (!shared && where.again) await client.read(name);
  return client;
}

export async function listen(where, _, heard) {
  await join(where, '', true).then((client) => client.close());
  return await feed(where.port, 'now', heard);
}

export async function fill(where, records, text) {
  const client = await join(where, '', true);
  for (let n = 0; n < records; n += 500) {
    const docs = Array.from({ length: Math.min(500, records - n) }, (_, i) => ({ _id: `r-${n + i}`, value: `${n + i} ${text}` }));
    await client.caller.done('POST', '/area/_bulk_docs', { docs });
  }
  client.close();
}

// PouchDB with what it needs here: a plugin can be added only once.
let whole;

async function replicas() {
  const { default: PouchDB } = await import('pouchdb-core');
  for (const name of ['adapter-leveldb', 'adapter-http', 'replication']) PouchDB.plugin((await import(`pouchdb-${name}`)).default);
  return PouchDB;
}

export async function fresh(where) {
  whole ??= replicas();
  const PouchDB = await whole;
  const sockets = [];
  const opened = ({ socket }) => sockets.push(socket);
  diagnostics.subscribe('net.client.socket', opened);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'beatbook-replica-'));
  try {
    const replica = new PouchDB(path.join(folder, 'replica'), { adapter: 'leveldb' });
    await replica.replicate.from(`http://127.0.0.1:${where.port}/area`, { batch_size: 1000 });
    const { doc_count: count } = await replica.info();
    await replica.close();
    return { records: count, bytes: sockets.reduce((sum, socket) => sum + socket.bytesRead, 0) };
  } finally {
    diagnostics.unsubscribe('net.client.socket', opened);
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
