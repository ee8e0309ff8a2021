// Clients of Jazz's sync server: nodes of its own library, each with keys of its own, in a group that everybody may write to.
import { LocalNode } from 'cojson';
import { WasmCrypto } from 'cojson/crypto/WasmCrypto';
import { createWebSocketPeer } from 'cojson-transport-ws';
import { WebSocket } from 'ws';

import { RawSocket } from './raw.mjs';

const crypto = await WasmCrypto.create();
const SYNC_MS = 60_000;
const ids = new Map();
let names = 0;

class Client {
  constructor(port) {
    this.port = port;
    const secret = crypto.newRandomAgentSecret();
    this.node = new LocalNode(secret, crypto.newRandomSessionID(crypto.getAgentID(secret)), crypto);
  }

  get bytesOut() {
    return this.socket?._socket?.bytesWritten ?? 0;
  }

  get bytesIn() {
    return this.socket?._socket?.bytesRead ?? 0;
  }

  async online() {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}`, { perMessageDeflate: false });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('open', resolve));
    this.socket = socket;
    this.peer = `server-${names++}`;
    this.node.syncManager.addPeer(
      createWebSocketPeer({ id: this.peer, websocket: socket, role: 'server', expectPings: false, deletePeerStateOnClose: true }),
    );
  }

  offline() {
    this.socket.terminate();
    return new Promise((resolve) => setTimeout(resolve, 20));
  }

  // The map of this name: the first to come makes it.
  async open(name) {
    if (!ids.has(name)) ids.set(name, this.make());
    const id = await ids.get(name);
    if (this.map === undefined) this.map = await this.node.load(id);
    if (this.map === 'unavailable') throw new Error(`${name} is not at the server`);
  }

  async make() {
    const group = this.node.createGroup();
    group.addMember('everyone', 'writer');
    this.map = group.createMap();
    this.map.set('made', 'yes', 'trusting');
    await this.node.syncManager.waitForAllCoValuesSync(SYNC_MS);
    return this.map.id;
  }

  async write(key, value) {
    this.map.set(key, value, this.privacy ?? 'private');
    if (this.socket.readyState === WebSocket.OPEN) await this.settled();
  }

  settled() {
    return this.node.syncManager.waitForSync(this.map.id, SYNC_MS);
  }

  async read(key) {
    return this.map.get(key);
  }

  async count() {
    return this.map.keys().length - 1;
  }

  close() {
    this.socket.terminate();
  }
}

export async function join(where, name, shared) {
  const client = new Client(where.port);
  await client.online();
  await client.open(shared ? 'area' : name);
  // Listeners look for a mark in what comes, and could not see it in what is encrypted.
  if (name === 'desk') client.privacy = 'trusting';
  return client;
}

// Asks for the map as a node does, and gives an account of nothing.
export async function listen(where, _, heard) {
  if (!ids.has('area')) await join(where, 'first', true).then((client) => client.close());
  const id = await ids.get('area');
  const socket = await RawSocket.open(where.port);
  const come = new Promise((resolve) => {
    socket.messages = (data) => data.includes('"content"') && data.includes(id) && resolve();
  });
  socket.send(JSON.stringify({ action: 'load', id, header: false, sessions: {} }));
  await come;
  socket.chunks = heard;
  return socket;
}

export async function fill(where, records, text) {
  const client = await join(where, 'filler', true);
  for (let n = 0; n < records; n++) {
    client.map.set(`r-${n}`, `${n} ${text}`);
    if (n % 500 === 499) await client.settled();
  }
  await client.settled();
  client.close();
}

export async function fresh(where, records) {
  const client = new Client(where.port);
  await client.online();
  await client.open('area');
  while ((await client.count()) < records) await new Promise((resolve) => setTimeout(resolve, 10));
  const found = { records: await client.count(), bytes: client.bytesIn };
  client.close();
  return found;
}
