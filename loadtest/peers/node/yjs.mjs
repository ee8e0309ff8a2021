// What Hocuspocus and pycrdt-websocket have in common: Yjs documents, and the sync messages of y-protocols. A shared
// document has a map of records; a client's own document has one record.
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';

import { RawSocket } from './raw.mjs';

export const SYNC = 0;
const AREA = 'area';
const APPLY_MS = 50;

// One client with a real Yjs document.
export class YClient {
  // `dialect` says how messages are wrapped and how one learns that an update was taken.
  constructor(dialect, where, room) {
    this.dialect = dialect;
    this.where = where;
    this.room = room;
    this.doc = new Y.Doc();
    this.map = this.doc.getMap('records');
    this.socket = null;
    this.unacked = 0;
    this.waiting = [];
    this.come = [];
    this.doc.on('update', (update, origin) => {
      if (origin !== this && this.socket !== null) this.push((encoder) => sync.writeUpdate(encoder, update));
    });
  }

  get bytesIn() {
    return this.socket?.bytesIn ?? 0;
  }

  get bytesOut() {
    return this.socket?.bytesOut ?? 0;
  }

  async online() {
    const socket = await RawSocket.open(this.where.port, this.dialect.path(this.room));
    this.synced = new Promise((resolve) => {
      this.gotAll = resolve;
    });
    socket.messages = (data) => this.dialect.took(this, data);
    this.socket = socket;
    this.dialect.greet(this);
    await this.synced;
  }

  offline() {
    this.socket?.close();
    this.socket = null;
    this.unacked = 0;
  }

  // Ask for what we lack, saying what we have; the server asks the same of us.
  step1() {
    this.send((encoder) => sync.writeSyncStep1(encoder, this.doc));
  }

  send(write) {
    const encoder = encoding.createEncoder();
    this.dialect.head(encoder, this.room);
    write(encoder);
    this.socket.send(encoding.toUint8Array(encoder));
  }

  // Send what will be acknowledged.
  push(write) {
    this.unacked += 1;
    this.send(write);
    this.dialect.pushed(this);
  }

  acked() {
    this.unacked -= 1;
    this.waiting.shift()?.();
  }

  // One message of y-protocols' sync, without what wraps it.
  sync(decoder) {
    const kind = decoding.readVarUint(decoder);
    if (kind === sync.messageYjsSyncStep1) {
      const vector = decoding.readVarUint8Array(decoder);
      const update = Y.encodeStateAsUpdate(this.doc, vector);
      this.push((encoder) => {
        encoding.writeVarUint(encoder, sync.messageYjsSyncStep2);
        encoding.writeVarUint8Array(encoder, update);
      });
      this.offered?.();
    } else if (kind === sync.messageYjsSyncStep2) {
      Y.applyUpdate(this.doc, decoding.readVarUint8Array(decoder), this);
      this.gotAll();
    } else {
      this.come.push(decoding.readVarUint8Array(decoder));
      if (this.come.length === 1) setTimeout(() => this.apply(), APPLY_MS);
    }
    return kind;
  }

  // What came together is applied in one transaction: hundreds of clients in one process would else be the limit, and
  // acknowledgements would wait behind what they do.
  apply() {
    const updates = this.come;
    this.come = [];
    this.doc.transact(() => updates.forEach((update) => Y.applyUpdate(this.doc, update, this)), this);
  }

  write(key, value) {
    const answered = new Promise((resolve) => this.socket === null ? resolve() : this.waiting.push(resolve));
    this.map.set(key, value);
    return answered;
  }

  async read(key) {
    return this.map.get(key);
  }

  async count() {
    return this.map.size;
  }

  // Resolves when the server has what we wrote while it was away.
  async settled() {
    while (this.unacked > 0 || !this.answered) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  close() {
    this.socket?.close();
  }
}

export function adapter(dialect) {
  const join = async (where, name, shared) => {
    const client = new YClient(dialect, where, shared ? AREA : name);
    await client.online();
    // What was acknowledged before the first edit is no edit of ours.
    while (client.unacked > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    client.waiting = [];
    return client;
  };
  const listen = async (where, _, heard) => {
    const client = await join(where, AREA, true);
    const socket = client.socket;
    client.socket = null;
    client.doc.destroy();
    socket.chunks = heard;
    return socket;
  };
  const fill = async (where, records, text) => {
    const client = await join(where, AREA, true);
    for (let from = 0; from < records; from += 100) {
      client.doc.transact(() => {
        for (let n = from; n < Math.min(from + 100, records); n++) client.map.set(`r-${n}`, `${n} ${text}`);
      });
    }
    while (client.unacked > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    client.close();
  };
  const fresh = async (where, records) => {
    const client = new YClient(dialect, where, AREA);
    await client.online();
    const found = { records: client.map.size, bytes: client.bytesIn };
    client.close();
    return found;
  };
  return { join, listen, fill, fresh };
}
