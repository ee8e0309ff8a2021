// Clients of TinyBase: its own mergeable store and synchronizer. It acknowledges nothing, so behind each edit the client
// asks the server for the hash of what it holds, until that is the hash of its own store.
import { createMergeableStore } from 'tinybase';
import { createWsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client';
import { WebSocket } from 'ws';

import { RawSocket } from './raw.mjs';

const GET_HASHES = 1;
const SERVER = 'S';
const AREA = 'area';

class Client {
  constructor(port, room) {
    this.port = port;
    this.room = room;
    this.store = createMergeableStore();
    this.asked = 0;
    this.waiting = new Map();
  }

  get bytesOut() {
    return this.socket?._socket?.bytesWritten ?? 0;
  }

  get bytesIn() {
    return this.socket?._socket?.bytesRead ?? 0;
  }

  async online() {
    this.socket = new WebSocket(`ws://127.0.0.1:${this.port}/${this.room}`, { perMessageDeflate: false });
    this.socket.on('error', () => {});
    await new Promise((resolve) => this.socket.once('open', resolve));
    this.socket.on('message', (data) => {
      const text = data.toString();
      if (!text.startsWith(`${SERVER}\n["probe-`)) return;
      const [id, , body] = JSON.parse(text.slice(text.indexOf('\n') + 1));
      this.waiting.get(id)?.(JSON.stringify(body));
      this.waiting.delete(id);
    });
    this.synchronizer = await createWsSynchronizer(this.store, this.socket);
    await this.synchronizer.startSync();
  }

  offline() {
    return this.leave();
  }

  async leave() {
    const { synchronizer } = this;
    this.synchronizer = null;
    await synchronizer?.destroy();
    this.socket.terminate();
  }

  // Whether the server holds the same as we do.
  async same() {
    const id = `probe-${this.asked++}`;
    const theirs = await new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.socket.send(`${SERVER}\n${JSON.stringify([id, GET_HASHES, ''])}`);
    });
    return theirs === JSON.stringify(this.store.getMergeableContentHashes());
  }

  async write(key, value) {
    this.store.setCell('records', key, 'value', value);
    if (!this.synchronizer) return;
    // Out it goes when the store's transaction has ended, which is behind this turn.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.room !== AREA) while (!(await this.same())) await new Promise((resolve) => setImmediate(resolve));
  }

  async read(key) {
    return this.store.getCell('records', key, 'value');
  }

  async count() {
    return this.store.getRowCount('records');
  }

  async settled() {
    while (!(await this.same())) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  close() {
    this.socket.terminate();
  }
}

export async function join(where, name, shared) {
  const client = new Client(where.port, shared ? AREA : name);
  await client.online();
  // A room's file is loaded when its first client comes, and told a moment later.
  if (where.again) while (!(await client.same())) await new Promise((resolve) => setTimeout(resolve, 20));
  return client;
}

export async function listen(where, _, heard) {
  const socket = await RawSocket.open(where.port, `/${AREA}`);
  socket.chunks = heard;
  return socket;
}

export async function fill(where, records, text) {
  const client = new Client(where.port, AREA);
  await client.online();
  for (let from = 0; from < records; from += 500) {
    client.store.transaction(() => {
      for (let n = from; n < Math.min(from + 500, records); n++) client.store.setCell('records', `r-${n}`, 'value', `${n} ${text}`);
    });
    await client.settled();
  }
  client.close();
}

export async function fresh(where, records) {
  const client = new Client(where.port, AREA);
  const whole = new Promise((resolve) => {
    client.store.addRowCountListener('records', (_, __, count) => count >= records && resolve());
  });
  await client.online();
  await whole;
  const found = { records: client.store.getRowCount('records'), bytes: client.bytesIn };
  client.close();
  return found;
}
